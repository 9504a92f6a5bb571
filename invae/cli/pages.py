"""Results of an evaluated archive: what `invae.report.Report` draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from invae.evaluation.results import Figure, Results, Table

__all__ = ["archive_results"]

MOST_CURVES = 6
MOST_FRAMES = 3


def archive_results(
    total: dict[str, Any], rows: list[dict[str, Any]], originals: list[Any], decoded: list[Any], bound: Any
) -> Results:
    """Tables of all records, figures of the worst: largest error in units of the bound first."""
    order = np.argsort(
        [-row.get("max |error| / sigma", row["max error / bound"]) for row in rows], kind="stable"
    )
    curves = [i for i in order if hasattr(originals[i], "q")][:MOST_CURVES]
    frames = [i for i in order if not hasattr(originals[i], "q") and _image(originals[i]) is not None][
        :MOST_FRAMES
    ]
    figures = []
    if curves:
        data = {"curves": [_curve(rows[i]["record"], originals[i], decoded[i], bound) for i in curves]}
        units = originals[curves[0]].units
        data |= {
            "q_unit": units.get("q") or "unit not stated",
            "intensity_unit": units.get("intensity") or "a.u.",
        }
        figures.append(
            Figure("scattering_curves", "Original and decoded curves, worst first; residuals below.", data)
        )
    if frames:
        data = {"frames": [_frame(rows[i]["record"], originals[i], decoded[i], bound) for i in frames]}
        caption = "Original and decoded frames, worst first; grey pixels are masked or not finite."
        figures.append(Figure("frames", caption, data))
    summary = (
        f"{len(rows)} records, {total['source_bytes']:,} bytes of files in an archive of {total['bytes']:,} "
        f"bytes: {total['ratio']:.3g} times smaller, {total['bits_per_value']:.3g} bits per value, "
        "all included. "
        f"The largest error is {total['max_error_over_bound']:.3g} of the bound {total['bound']}."
    )
    caption = (
        "Errors of every record; masked and non-finite values must be exact and count as infinite if not."
    )
    table = Table("records", caption, rows)
    return Results(
        "evaluation", "Decoded against original", summary, {"bound": total["bound"]}, [table], figures
    )


def _curve(name: str, original: Any, decoded: Any, bound: Any) -> dict[str, Any]:
    curve = {
        "title": name if len(name) < 40 else name[:37] + "...",
        "q": np.asarray(original.q, float),
        "intensity": np.asarray(original.intensity, float),
        "sigma": None if original.sigma is None else np.asarray(original.sigma, float),
        "decoded": np.asarray(decoded.intensity, float),
    }
    if bound.kind == "sigma" and curve["sigma"] is not None:
        curve["bound"] = bound.value
    elif bound.kind in ("rel", "log") and curve["sigma"] is None:
        curve["bound"] = bound.value if bound.kind == "rel" else 10**bound.value - 1
    return curve


def _frame(name: str, original: Any, decoded: Any, bound: Any) -> dict[str, Any]:
    frame: dict[str, Any] = {"title": name, "data": _image(original), "decoded": _image(decoded)}
    if not isinstance(original, np.ndarray):
        for key in ("mask", "sigma"):
            value = getattr(original, key)
            if value is not None:
                frame[key] = np.asarray(value).reshape(-1, *frame["data"].shape)[0]
    if np.asarray(frame["data"]).dtype.kind in "iu":
        top = np.iinfo(frame["data"].dtype).max
        special = (frame["data"] < 0) | (frame["data"] == top)
        frame["mask"] = special | (np.asarray(frame["mask"]) != 0 if "mask" in frame else False)
    frame["k"] = bound.value if bound.kind == "sigma" else 1.0
    return frame


def _image(item: Any) -> np.ndarray | None:
    """The first image of an array or frame; None where there is none."""
    values = item if isinstance(item, np.ndarray) else np.asarray(item.values)
    if values.ndim < 2 or min(values.shape[-2:]) < 2 or values.size == 0:
        return None
    return values.reshape(-1, *values.shape[-2:])[0]
