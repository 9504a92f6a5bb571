"""Plain arrays in files, in memory or larger than it."""

from invae.data.arrays.atomic import atomic_path
from invae.data.arrays.files import read_array, split_inner_path, write_array

__all__ = ["atomic_path", "read_array", "split_inner_path", "write_array"]
