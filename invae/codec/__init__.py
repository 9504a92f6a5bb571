"""Compression of scattering data and other arrays, with an error bound that holds on every value."""

from __future__ import annotations

from invae.codec.api import compress, decompress, write_archive
from invae.codec.bounds import Bound
from invae.codec.container.archive import Archive
from invae.codec.learning.train import train_codec
from invae.codec.model import CodecModel, default_model, fast_model

__all__ = [
    "Archive",
    "Bound",
    "CodecModel",
    "compress",
    "decompress",
    "default_model",
    "fast_model",
    "train_codec",
    "write_archive",
]
