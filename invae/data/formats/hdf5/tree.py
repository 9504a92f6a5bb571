"""Walking HDF5 files: finding marked groups, and everything that stands beside the data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from invae.data.formats.hdf5.access import (
    attribute,
    attributes,
    follow,
    keys_of,
    name_of,
    read_dataset,
    scalar_or_list,
    target_of,
    unit_of,
)
from invae.data.texts import without_surrogates
from invae.errors import FormatError

__all__ = ["enclosing_entry", "groups_of_class", "surroundings"]

_CLASSES = ("canSAS_class", "SAS_class", "NX_class")
# Groups that describe the measurement: what their links lead to is no data, and may be absent.
_BESIDE = {
    "NXinstrument",
    "NXdetector",
    "NXsample",
    "NXprocess",
    "NXcollection",
    "NXnote",
    "NXuser",
    "NXsource",
}
_BESIDE |= {"NXbeam", "NXmonitor", "NXlog", "NXmonochromator", "NXtransformations", "NXdata"}
# Longer arrays are kept as arrays (bit-exact, compressible), shorter ones as JSON lists.
_LONGEST_LIST = 16


def groups_of_class(start: Any, kind: str) -> list[Any]:
    """Groups at or below ``start`` that are marked as ``kind``, in file order, each once.

    Groups behind soft and external links come after those that are in the file itself.

    Raises
    ------
    FormatError
        A link on the way, where data may lie behind it, leads nowhere.
    """
    import h5py

    found = []
    seen = set()
    links: list[tuple[Any, str | bytes]] = []

    def visit(group: Any) -> None:
        # Links may lead back to a group that is being visited.
        address = _address(group)
        if address in seen:
            return
        seen.add(address)
        if kind in classes_of(group):
            found.append(group)
            return
        for key in group:
            if target_of(group, key, _file(group)) is not None:
                links.append((group, key))
            elif isinstance(item := group[key], h5py.Group):
                visit(item)

    visit(start)
    while links:
        group, key = links.pop(0)
        if classes_of(group) & _BESIDE:
            continue
        try:
            target = follow(group, key, _file(group))
        except FormatError:
            # A link inside the file that leads nowhere hides no data; one to an absent file may.
            if str(target_of(group, key, _file(group))).startswith(":"):
                continue
            raise
        if isinstance(target, h5py.Group):
            visit(target)
    return found


def classes_of(group: Any) -> set[str]:
    """Classes that the attributes of a group name."""
    return {found for key in _CLASSES if isinstance(found := attribute(group, key), str)}


def enclosing_entry(group: Any) -> Any:
    """The SASentry or NXentry above a group, or None."""
    parent = group
    while name_of(parent) != "/":
        parent = parent.parent
        if {"SASentry", "NXentry"} & classes_of(parent):
            return parent
    return None


def surroundings(
    entry: Any, skip: Iterable[Any], file: str, skip_classes: frozenset[str] = frozenset({"SASdata"})
) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, str | None]]:
    """Everything in an entry but the objects in ``skip`` and the groups of ``skip_classes``.

    Returns
    -------
    tree : dict
        Nested like the file; attributes under ``@``, links as ``{"@link": path}``.
    arrays : dict of str to ndarray
        Numeric arrays of more than 16 values, by their path below the entry.
    units : dict of str to (str or None)
        Their units.
    """
    import h5py

    arrays: dict[str, np.ndarray] = {}
    units: dict[str, str | None] = {}
    seen = {_address(item) for item in skip}

    def visit(group: Any, prefix: str) -> dict[str, Any]:
        tree: dict[str, Any] = {"@": attributes(group)} if len(group.attrs) else {}
        for key, stored in keys_of(group).items():
            target = target_of(group, stored, file)
            if target is not None:
                tree[key] = {"@link": target.removeprefix(":")}
                continue
            child = group[stored]
            address = _address(child)
            if address in seen:
                continue
            seen.add(address)
            if isinstance(child, h5py.Group):
                if not skip_classes & classes_of(child):
                    tree[key] = visit(child, f"{prefix}{key}/")
            elif isinstance(child, h5py.Dataset):
                long = child.size is not None and child.size > _LONGEST_LIST and child.dtype.kind in "biuf"
                if long:
                    arrays[prefix + key] = read_dataset(child, file)
                    units[prefix + key] = unit_of(child)
                    if len(child.attrs):
                        tree[key] = {"@": attributes(child)}
                    continue
                value = scalar_or_list(child, file)
                tree[key] = {"@": attributes(child), "value": value} if len(child.attrs) else value
        return tree

    return visit(entry, ""), arrays, units


def _file(group: Any) -> str:
    return without_surrogates(Path(group.file.filename).name)


def _address(item: Any) -> tuple[int, int]:
    """Where an object lies: two hard links to one object have the same."""
    import h5py

    info = h5py.h5o.get_info(item.id)
    return info.fileno, info.addr
