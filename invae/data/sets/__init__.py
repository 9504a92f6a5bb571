"""Public data sets: where they are, what they must hash to, how they are read."""

from invae.data.sets.cifar import read_cifar
from invae.data.sets.idx import read_idx
from invae.data.sets.manifest import data_sets, fetch
from invae.data.sets.ucr import read_ucr

__all__ = ["data_sets", "fetch", "read_cifar", "read_idx", "read_ucr"]
