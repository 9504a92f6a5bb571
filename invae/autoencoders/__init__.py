"""Autoencoders: linear maps of least risk in closed form, and what is built on them.

The rooms that import torch (networks, penalties, training) are loaded by their own names only.
"""

from invae.extras import optional_imports

with optional_imports():
    from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor
    from invae.autoencoders.linear.autoencoder import LinearAutoencoder
    from invae.autoencoders.linear.directions import cosines, decoder_svd, optimal_offset, rayleigh_ritz
    from invae.autoencoders.linear.landscape import Landscape, balance, transpose_gap
    from invae.autoencoders.linear.ppca import ProbabilisticPCA
    from invae.autoencoders.refine.refiner import PatchAffineRefiner
    from invae.autoencoders.sparse.autoencoder import SparseAutoencoder
    from invae.autoencoders.sparse.convolutional import ConvolutionalSparseAutoencoder
    from invae.autoencoders.sparse.diagnostics import l1_path, sparsity_report
    from invae.autoencoders.sparse.gaussian import gaussian_sparse_loss, gaussian_sparse_optimum
    from invae.autoencoders.steps.decoders import (
        ReluDecoder,
        SigmoidDecoder,
        encode_steps,
        exact_step_decoder,
        interpolating_decoder,
        minimal_width,
        sigmoid_step_decoder,
        step_signals,
    )
    from invae.autoencoders.steps.solutions import is_unisolvent
    from invae.autoencoders.steps.training import interlaced_decoder

__all__ = [
    "BayesRiskReconstructor",
    "ConvolutionalSparseAutoencoder",
    "Landscape",
    "LinearAutoencoder",
    "PatchAffineRefiner",
    "ProbabilisticPCA",
    "ReluDecoder",
    "SigmoidDecoder",
    "SparseAutoencoder",
    "balance",
    "cosines",
    "decoder_svd",
    "encode_steps",
    "exact_step_decoder",
    "gaussian_sparse_loss",
    "gaussian_sparse_optimum",
    "interlaced_decoder",
    "interpolating_decoder",
    "is_unisolvent",
    "l1_path",
    "minimal_width",
    "optimal_offset",
    "rayleigh_ritz",
    "sigmoid_step_decoder",
    "sparsity_report",
    "step_signals",
    "transpose_gap",
]
