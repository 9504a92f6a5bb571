"""What comes in: records, readers and writers for scattering files, plain arrays, training families."""

from invae.data.arrays.atomic import atomic_path
from invae.data.arrays.files import read_array, split_inner_path, write_array
from invae.data.inventory import inventory
from invae.data.read import read
from invae.data.records import Curve, Frame, Record, from_parts, identical, unique_names
from invae.data.sets.cifar import read_cifar
from invae.data.sets.idx import read_idx
from invae.data.sets.manifest import data_sets, fetch
from invae.data.sets.ucr import read_ucr
from invae.data.simulation.curves import measure_cost, simulate_curves
from invae.data.simulation.frames import simulate_frames
from invae.data.write import write

__all__ = [
    "Curve",
    "Frame",
    "Record",
    "atomic_path",
    "data_sets",
    "fetch",
    "from_parts",
    "identical",
    "inventory",
    "measure_cost",
    "read",
    "read_array",
    "read_cifar",
    "read_idx",
    "read_ucr",
    "simulate_curves",
    "simulate_frames",
    "split_inner_path",
    "unique_names",
    "write",
    "write_array",
]
