"""Linear autoencoders in closed form: penalties, loss landscapes, principal directions, probabilistic PCA."""

from invae.autoencoders.linear.autoencoder import LinearAutoencoder
from invae.autoencoders.linear.directions import cosines, decoder_svd, optimal_offset, rayleigh_ritz
from invae.autoencoders.linear.landscape import Landscape, balance, transpose_gap
from invae.autoencoders.linear.ppca import ProbabilisticPCA

__all__ = [
    "Landscape",
    "LinearAutoencoder",
    "ProbabilisticPCA",
    "balance",
    "cosines",
    "decoder_svd",
    "optimal_offset",
    "rayleigh_ritz",
    "transpose_gap",
]
