"""Compression of scattering data and other arrays, with an error bound that holds on every value."""

from __future__ import annotations

from invae.codec.api import compress, decompress, write_archive
from invae.codec.archive import Archive
from invae.codec.bounds import Bound

__all__ = ["Archive", "Bound", "compress", "decompress", "write_archive"]
