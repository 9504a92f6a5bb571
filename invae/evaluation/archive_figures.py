"""Figures of the records that an archive changed most: curves with residuals, their physics, frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from invae.data.records import Curve
from invae.errors import InvaeError
from invae.evaluation.frames import bad_pixels, centre_source, first_image, ring_shifts
from invae.evaluation.guinier import fit_guinier
from invae.evaluation.porod import fit_porod
from invae.evaluation.results import Figure

__all__ = ["worst_curves", "worst_frames"]

MOST_CURVES = 6
MOST_FRAMES = 3


def worst_curves(
    names: Sequence[str], originals: Sequence[Any], decoded: Sequence[Any], bound: Any, order: Sequence[int]
) -> list[Figure]:
    """The first curves of ``order`` with residuals; the classical views of the first with a Guinier law."""
    chosen = [i for i in order if isinstance(originals[i], Curve)]
    if not chosen:
        return []
    units = _units(originals[chosen[0]])
    curves = [_curve(names[i], originals[i], decoded[i], bound) for i in chosen[:MOST_CURVES]]
    caption = "Original and decoded curves, worst first, with residuals below; the band is the bound."
    figures = [Figure("scattering_curves", caption, {"curves": curves, **units})]
    for i in chosen[:50]:
        views = _views(names[i], originals[i], decoded[i])
        if views is not None:
            caption = f"Guinier, Kratky and Porod views of {names[i]}; the ranges are frozen on the original."
            figures.append(Figure("guinier_kratky_porod", caption, {**views, **_units(originals[i])}))
            break
    return figures


def worst_frames(
    names: Sequence[str], originals: Sequence[Any], decoded: Sequence[Any], bound: Any, order: Sequence[int]
) -> list[Figure]:
    """The first images of ``order``: data, decoded, residual over sigma, shift of ring sums."""
    chosen = [
        i for i in order if not isinstance(originals[i], Curve) and first_image(originals[i]) is not None
    ]
    if not chosen:
        return []
    frames = [_frame(names[i], originals[i], decoded[i], bound) for i in chosen[:MOST_FRAMES]]
    caption = "Original and decoded frames, worst first; grey pixels are masked and exact."
    if bound.kind == "sigma":
        caption += " Sigma is that of counts where the file has none."
    return [Figure("frames", caption, {"frames": frames})]


def _curve(name: str, original: Curve, decoded: Curve, bound: Any) -> dict[str, Any]:
    curve: dict[str, Any] = {
        "title": name if len(name) <= 40 else f"{name[:39]}…",
        "q": _floats(original.q),
        "intensity": _floats(original.intensity),
        "sigma": None if original.sigma is None else _floats(original.sigma),
        "decoded": _floats(decoded.intensity),
    }
    if bound.kind == "sigma" and curve["sigma"] is not None:
        curve["bound"] = bound.value
    elif bound.kind == "abs":
        curve |= {
            "residual": curve["decoded"] - curve["intensity"],
            "residual_label": "residual",
            "bound": bound.value,
        }
    elif bound.kind == "log":
        with np.errstate(divide="ignore", invalid="ignore"):
            curve["residual"] = np.log10(curve["decoded"]) - np.log10(curve["intensity"])
        curve |= {"residual_label": "residual of log₁₀ I", "bound": bound.value}
    elif bound.kind == "rel":
        with np.errstate(divide="ignore", invalid="ignore"):
            curve["residual"] = curve["decoded"] / curve["intensity"] - 1
        curve |= {"residual_label": "relative residual", "bound": bound.value}
    return curve


def _views(name: str, original: Curve, decoded: Curve) -> dict[str, Any] | None:
    q, a, b = _floats(original.q), _floats(original.intensity), _floats(decoded.intensity)
    sigma = None if original.sigma is None else _floats(original.sigma)
    try:
        first = fit_guinier(q, a, sigma)
        second = fit_guinier(q, b, sigma, first.q_range)
        tail = fit_porod(q, a, sigma)
    except InvaeError:
        return None
    if not first.valid or not np.isfinite(second.rg):
        return None
    low, high = first.q_range
    return {
        "title": name,
        "q": q,
        "intensity": a,
        "sigma": sigma,
        "decoded": b,
        "guinier": {"q_min": low, "q_max": high, "rg": first.rg, "i0": first.i0, "rg_error": first.rg_error},
        "guinier_decoded": {"q_min": low, "q_max": high, "rg": second.rg, "i0": second.i0},
        "porod": {
            "q_min": tail.q_range[0],
            "q_max": tail.q_range[1],
            "constant": tail.constant,
            "background": tail.background,
        },
    }


def _frame(name: str, original: Any, decoded: Any, bound: Any) -> dict[str, Any]:
    image = np.asarray(first_image(original))
    frame: dict[str, Any] = {
        "title": name if len(name) <= 40 else f"{name[:39]}…",
        "data": image,
        "decoded": first_image(decoded),
        "mask": bad_pixels(original),
    }
    sigma = None if isinstance(original, np.ndarray) else original.sigma
    if sigma is not None:
        frame["sigma"] = _floats(sigma).reshape(-1, *image.shape)[0]
    if bound.kind == "sigma":
        frame["k"] = bound.value
    else:
        frame |= _in_bounds(_floats(image), _floats(frame["decoded"]), bound)
    rings = ring_shifts(original, decoded)
    if rings is not None:
        label = f"distance from {centre_source(original)} [pixel]"
        frame |= {"ring_z": rings.z, "ring_radius": rings.radius, "ring_label": label}
    return frame


def _in_bounds(x: np.ndarray, y: np.ndarray, bound: Any) -> dict[str, Any]:
    """Residual map in units of a bound that is not one of sigma."""
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = {
            "abs": lambda: (y - x) / bound.value,
            "rel": lambda: (y / x - 1) / bound.value,
            "log": lambda: np.log10(y / x) / bound.value,
        }.get(bound.kind, lambda: y - x)()
    return {
        "residual": residual,
        "residual_label": "residual" if bound.kind == "lossless" else "residual / bound",
    }


def _units(curve: Curve) -> dict[str, str]:
    return {
        key: _pretty(curve.units.get(name))
        for key, name in (("q_unit", "q"), ("intensity_unit", "intensity"))
    }


def _pretty(unit: str | None) -> str:
    """A unit as printed: the many spellings of an inverse angstrom become one."""
    if not unit:
        return "unit not stated"
    return "1/Å" if unit.lower() in ("1/a", "1/angstrom", "1/ang", "a-1", "a^-1", "å^-1", "1/å") else unit


def _floats(values: Any) -> np.ndarray:
    return np.asarray(values, np.float64)
