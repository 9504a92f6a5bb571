"""What comes in: records, readers and writers for scattering files, plain arrays, training families."""

from invae.data.files import atomic_path
from invae.data.records import Curve, Frame, Record, from_parts, identical, unique_names

__all__ = ["Curve", "Frame", "Record", "atomic_path", "from_parts", "identical", "unique_names"]
