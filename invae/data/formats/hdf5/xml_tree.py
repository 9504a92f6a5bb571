"""Sample, instrument and process of a canSAS XML entry in the words of NXcanSAS."""

from __future__ import annotations

from typing import Any

from invae.data.formats.text.plain import is_number, number

__all__ = ["tree_from_xml"]

_GROUPS = {
    "SASsample": ("sassample", "NXsample"),
    "SASinstrument": ("sasinstrument", "NXinstrument"),
    "SASsource": ("sassource", "NXsource"),
    "SAScollimation": ("sascollimation", "NXcollimator"),
    "SASdetector": ("sasdetector", "NXdetector"),
    "SASprocess": ("sasprocess", "NXprocess"),
    "aperture": ("sasaperture", "NXaperture"),
}
# Elements with x, y, z or roll, pitch, yaw below them, and the names of those in NXcanSAS.
_VECTORS = {
    "beam_size": "beam_size_{}",
    "beam_center": "beam_center_{}",
    "pixel_size": "{}_pixel_size",
    "position": "{}_position",
    "offset": "{}_position",
    "size": "{}_gap",
    "orientation": "{}",
}
_RENAMED = {"wavelength": "incident_wavelength", "wavelength_spread": "incident_wavelength_spread"}
_NUMBERS = {
    "thickness",
    "transmission",
    "temperature",
    "SDD",
    "length",
    "distance",
    "wavelength",
    "wavelength_min",
}
_NUMBERS |= {"wavelength_max", "wavelength_spread", "slit_length", "x", "y", "z", "roll", "pitch", "yaw"}


def tree_from_xml(entry: dict[str, Any]) -> dict[str, Any]:
    """Groups for the SASsample, SASinstrument and SASprocess elements of ``metadata["entry"]``."""
    tree: dict[str, Any] = {}
    for tag in ("SASsample", "SASinstrument", "SASprocess"):
        _place(tree, tag, entry.get(tag))
    return tree


def _place(tree: dict[str, Any], tag: str, value: Any) -> None:
    if value is None:
        return
    values = value if isinstance(value, list) else [value]
    for index, item in enumerate(values):
        suffix = f"_{index + 1}" if len(values) > 1 else ""
        if tag in _GROUPS:
            name, nx_class = _GROUPS[tag]
            canSAS_class = tag if tag.startswith("SAS") else "SASaperture"
            group: dict[str, Any] = {"@": {"NX_class": nx_class, "canSAS_class": canSAS_class}}
            for key, child in item.items() if isinstance(item, dict) else ():
                if key.startswith("@"):
                    group["@"][key[1:]] = child
                else:
                    _place(group, key, child)
            tree[name + suffix] = group
        elif tag in _VECTORS and isinstance(item, dict):
            for axis, child in item.items():
                if not axis.startswith(("@", "#")):
                    tree[_VECTORS[tag].format(axis) + suffix] = _leaf(axis, child)
        elif tag == "term" and isinstance(item, dict):
            tree[item.get("@name", "term") + suffix] = _leaf(tag, item)
        else:
            tree[_RENAMED.get(tag, tag) + suffix] = _leaf(tag, item)


def _leaf(tag: str, value: Any) -> Any:
    attributes = {}
    if isinstance(value, dict):
        attributes = {"units": value["@unit"]} if "@unit" in value else {}
        value = value.get("#text", "")
    if isinstance(value, list):
        value = "\n".join(str(item) for item in value)
    if tag in _NUMBERS and is_number(value):
        value = number(value)
    return {"@": attributes, "value": value}
