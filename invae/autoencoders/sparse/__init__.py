"""Overcomplete autoencoders with L1-regularised codes: vectors, and images by convolution."""

from invae.autoencoders.sparse.autoencoder import SparseAutoencoder
from invae.autoencoders.sparse.convolutional import ConvolutionalSparseAutoencoder
from invae.autoencoders.sparse.diagnostics import l1_path, sparsity_report
from invae.autoencoders.sparse.gaussian import gaussian_sparse_loss, gaussian_sparse_optimum

__all__ = [
    "ConvolutionalSparseAutoencoder",
    "SparseAutoencoder",
    "gaussian_sparse_loss",
    "gaussian_sparse_optimum",
    "l1_path",
    "sparsity_report",
]
