"""Figures that scattering people look at first: I(q) with residuals, Guinier, Kratky, Porod, frames.

Points that cannot stand on a logarithmic axis are left out of the drawing, never out of the residuals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from invae.report.style import COLORS, DASHES, ERROR_MAP, INK, MUTED, label_axes, label_powers, new_figure

__all__ = ["frames", "guinier_kratky_porod", "scattering_curves"]

DATA, DECODED = INK, COLORS[1]
LARGEST = 1000


def scattering_curves(data: Mapping[str, Any]) -> Any:
    """Measured I(q) with error bars, the decoded curve on it, and the residual below.

    ``curves``: list of {title?, q, intensity, sigma? (None: no error bars), decoded?, bound? (band in the
    residual panel, in the residual's own units), residual? (else (decoded - intensity) / sigma, or relative
    to intensity where sigma is None), residual_label?}; ``q_unit?`` ("1/Å"), ``intensity_unit?`` ("1/cm"),
    ``columns?`` (3), ``xscale?, yscale?`` ("log"), ``decoded_label?``.
    """
    curves = data["curves"]
    columns = min(len(curves), data.get("columns", 3))
    rows = -(-len(curves) // columns)
    figure = new_figure({1: 6.4, 2: 8.8}.get(columns, 10.6), 4.1 * rows)
    outer = figure.add_gridspec(rows, columns)
    for place, curve in enumerate(curves):
        inner = outer[place // columns, place % columns].subgridspec(
            2, 1, height_ratios=(3, 1.15), hspace=0.04
        )
        axes = figure.add_subplot(inner[0])
        below = figure.add_subplot(inner[1], sharex=axes)
        q, intensity = np.asarray(curve["q"], float), np.asarray(curve["intensity"], float)
        sigma = None if curve.get("sigma") is None else np.asarray(curve["sigma"], float)
        xscale, yscale = data.get("xscale", "log"), data.get("yscale", "log")
        seen = np.isfinite(q) & np.isfinite(intensity)
        seen &= (q > 0) if xscale == "log" else True
        seen &= (intensity > 0) if yscale == "log" else True
        if sigma is not None:
            bars = _error_bars(intensity[seen], sigma[seen], yscale == "log")
            axes.errorbar(
                q[seen], intensity[seen], bars, fmt="none", ecolor=MUTED, elinewidth=0.6, alpha=0.55
            )
        axes.plot(q[seen], intensity[seen], ".", color=DATA, markersize=3, label="data")
        if curve.get("decoded") is not None:
            decoded = np.asarray(curve["decoded"], float)
            shown = seen & np.isfinite(decoded) & ((decoded > 0) if yscale == "log" else True)
            order = np.argsort(q[shown], kind="stable")
            label = data.get("decoded_label", "decoded")
            axes.plot(q[shown][order], decoded[shown][order], color=DECODED, linewidth=1.1, label=label)
            _residual(below, q, intensity, sigma, decoded, curve)
        axes.legend(loc="lower left")
        unit = data.get("intensity_unit", "1/cm")
        first = place % columns == 0
        label_axes(axes, {"ylabel": f"I(q) [{unit}]" if first else "", "xscale": xscale, "yscale": yscale})
        axes.set_title(curve.get("title", ""), fontsize=8.5)
        alone = curve.get("decoded") is None
        below.set_visible(not alone)
        axes.tick_params(labelbottom=alone)
        (axes if alone else below).set_xlabel(f"q [{data.get('q_unit', '1/Å')}]")
    return figure


def guinier_kratky_porod(data: Mapping[str, Any]) -> Any:
    """Three views of one curve: ln I against q^2, (dimensionless) Kratky, and q^4 I.

    ``q, intensity, sigma?, decoded?``; ``guinier?``: {q_min, q_max, rg, i0, rg_error?} of the data, drawn as
    the fitted line; ``guinier_decoded?``: the same of the decoded curve; ``porod?``: {q_min, q_max, constant,
    background?}; ``q_unit?`` ("1/Å"), ``intensity_unit?`` ("1/cm"), ``title?``.
    """
    q, intensity = np.asarray(data["q"], float), np.asarray(data["intensity"], float)
    sigma = None if data.get("sigma") is None else np.asarray(data["sigma"], float)
    decoded = None if data.get("decoded") is None else np.asarray(data["decoded"], float)
    fit = data.get("guinier") or {}
    length = data.get("q_unit", "1/Å").removeprefix("1/")
    unit = data.get("intensity_unit", "1/cm")
    figure = new_figure(10.6, 3.5)
    guinier, kratky, porod = figure.subplots(1, 3)

    seen = np.isfinite(q) & np.isfinite(intensity) & (intensity > 0)
    reach = 1.35 * fit["q_max"] if fit else float(np.quantile(q[seen], 0.35))
    near = seen & (q <= reach)
    bars = None if sigma is None else sigma[near] / intensity[near]
    _points(guinier, q[near] ** 2, np.log(intensity[near]), bars, "data")
    if decoded is not None:
        good = near & (decoded > 0)
        guinier.plot(q[good] ** 2, np.log(decoded[good]), "x", color=DECODED, markersize=4, label="decoded")
    for name, color, which in (
        ("fit, data", COLORS[0], fit),
        ("fit, decoded", DECODED, data.get("guinier_decoded") or {}),
    ):
        if which:
            x = np.linspace(which["q_min"] ** 2, which["q_max"] ** 2, 50)
            error = f" ± {which['rg_error']:.2g}" if which.get("rg_error") else ""
            label = f"{name}: Rg = {which['rg']:.4g}{error} {length}"
            y = np.log(which["i0"]) - which["rg"] ** 2 * x / 3
            guinier.plot(x, y, color=color, label=label, linestyle="-" if which is fit else DASHES[1])
    label_axes(guinier, {"title": "Guinier", "xlabel": f"q² [1/{length}²]", "ylabel": f"ln I  (I in {unit})"})
    guinier.legend(loc="best", fontsize=7.5)

    if fit:
        x, scale = q * fit["rg"], (q * fit["rg"]) ** 2 / fit["i0"]
        labels = {"xlabel": "q Rg", "ylabel": "(q Rg)² I / I(0)", "title": "Kratky, dimensionless"}
    else:
        x, scale = q, q**2
        labels = {"xlabel": f"q [1/{length}]", "ylabel": f"q² I [{unit}/{length}²]", "title": "Kratky"}
    _view(kratky, x, scale, intensity, sigma, decoded)
    label_axes(kratky, labels)
    if fit and np.nanmax(x) > np.sqrt(3):
        kratky.axvline(np.sqrt(3), color=MUTED, linewidth=0.8, linestyle=":")
        kratky.axhline(3 / np.e, color=MUTED, linewidth=0.8, linestyle=":")

    _view(porod, q, q**4, intensity, sigma, decoded)
    tail = data.get("porod") or {}
    if tail:
        at = np.linspace(tail["q_min"], tail["q_max"], 50)
        label = f"K = {tail['constant']:.3g}"
        porod.plot(at, tail["constant"] + tail.get("background", 0.0) * at**4, color=COLORS[0], label=label)
        porod.legend(loc="best")
    label_axes(porod, {"title": "Porod", "xlabel": f"q [1/{length}]", "ylabel": f"q⁴ I [{unit}/{length}⁴]"})
    if data.get("title"):
        figure.suptitle(data["title"], x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def frames(data: Mapping[str, Any]) -> Any:
    """Detector frames: data (logarithmic, masked pixels grey), decoded, residual / sigma, and ring z-scores.

    ``frames``: list of {title?, data (2-D), decoded?, mask? (True is masked), sigma? (default: Poisson),
    residual? residual_label? (else (decoded - data) / sigma), k? (limit of the residual map, 1), ring_z?,
    ring_radius? (pixels or q), ring_label?}.
    """
    items = data["frames"]
    panels = [_frame_panels(item) for item in items]
    columns = max(map(len, panels))
    heights = [
        2.6 * min(1.6, max(0.6, np.shape(item["data"])[0] / np.shape(item["data"])[1])) + 0.7
        for item in items
    ]
    figure = new_figure(0.6 + 3.1 * columns, sum(heights))
    grid = figure.add_gridspec(len(items), columns, height_ratios=heights)
    for i, (item, row) in enumerate(zip(items, panels)):
        for j, (title, paint) in enumerate(row):
            axes = figure.add_subplot(grid[i, j])
            paint(figure, axes)
            axes.set_title(title if j else item.get("title", title), fontsize=8.5)
    return figure


def _frame_panels(item: Mapping[str, Any]) -> list[tuple[str, Any]]:
    from matplotlib.colors import LogNorm

    values = np.asarray(item["data"], float)
    masked = ~np.isfinite(values)
    if item.get("mask") is not None:
        masked |= np.asarray(item["mask"], bool)
    clear = np.where(masked, np.nan, values)
    positive = clear[np.isfinite(clear) & (clear > 0)]
    low = float(np.quantile(positive, 0.02)) if positive.size else 0.5
    high = float(positive.max()) if positive.size else 1.0
    norm = LogNorm(max(low, high * 1e-6), max(high, low * 1.01))
    panels = [("data", lambda f, a: _picture(f, a, clear, masked, "inferno", norm, ""))]
    if item.get("decoded") is None:
        return panels
    decoded = np.where(masked, np.nan, np.asarray(item["decoded"], float))
    panels.append(("decoded", lambda f, a: _picture(f, a, decoded, masked, "inferno", norm, "")))
    label = item.get("residual_label", "residual / σ")
    if item.get("residual") is not None:
        residual = np.where(masked, np.nan, np.asarray(item["residual"], float))
    else:
        given = item.get("sigma")
        sigma = np.sqrt(np.maximum(values, 1)) if given is None else np.asarray(given, float)
        with np.errstate(divide="ignore", invalid="ignore"):
            residual = (decoded - clear) / sigma
    limit = item.get("k", 1.0)

    def residual_map(figure: Any, axes: Any) -> None:
        from matplotlib.colors import Normalize

        _picture(figure, axes, residual, masked, ERROR_MAP, Normalize(-limit, limit), label)

    panels.append((label, residual_map))
    if item.get("ring_z") is not None:
        z = np.asarray(item["ring_z"], float)
        radius = (
            np.arange(z.size) if item.get("ring_radius") is None else np.asarray(item["ring_radius"], float)
        )

        def rings(figure: Any, axes: Any) -> None:
            axes.axhspan(-1, 1, color=MUTED, alpha=0.16, linewidth=0)
            axes.plot(radius, z, color=COLORS[0], linewidth=0.8, marker=".", markersize=3)
            reach = max(1.5, 1.15 * float(np.nanmax(np.abs(z), initial=0)))
            label_axes(axes, {"xlabel": item.get("ring_label", "radius [pixel]"), "ylim": (-reach, reach)})

        panels.append(("shift of ring sums [σ]", rings))
    return panels


def _picture(
    figure: Any, axes: Any, values: np.ndarray, masked: np.ndarray, cmap: str, norm: Any, bar: str
) -> None:
    import matplotlib

    small, hidden = _reduce(values), _reduce(masked.astype(float))
    colors = matplotlib.colormaps[cmap].with_extremes(bad=(0, 0, 0, 0), under=matplotlib.colormaps[cmap](0.0))
    axes.set(xticks=[], yticks=[], facecolor="#9aa3ad" if hidden.any() else "white")
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if cmap != ERROR_MAP:
        small = np.where(np.isfinite(small) & (small <= norm.vmin), norm.vmin, small)
    shown = axes.imshow(small, cmap=colors, norm=norm)
    made = figure.colorbar(shown, ax=axes, shrink=0.8, aspect=22, pad=0.02, label=bar)
    if cmap != ERROR_MAP:
        label_powers(made.ax.yaxis)
    made.outline.set_visible(False)
    made.ax.tick_params(length=2)


def _reduce(values: np.ndarray) -> np.ndarray:
    """At most LARGEST pixels a side: of every block the value largest in size, so that none is lost."""
    step = -(-max(values.shape) // LARGEST)
    if step == 1:
        return values
    values = np.pad(values, [(0, -side % step) for side in values.shape], constant_values=np.nan)
    height, width = (side // step for side in values.shape)
    blocks = values.reshape(height, step, width, step).transpose(0, 2, 1, 3).reshape(height, width, -1)
    place = np.argmax(np.where(np.isfinite(blocks), np.abs(blocks), -1), axis=2)
    return np.take_along_axis(blocks, place[..., None], axis=2)[..., 0]


def _residual(
    axes: Any, q: np.ndarray, intensity: np.ndarray, sigma: Any, decoded: np.ndarray, curve: Any
) -> None:
    if curve.get("residual") is not None:
        residual, label = np.asarray(curve["residual"], float), curve.get("residual_label", "residual")
    elif sigma is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            residual = (decoded - intensity) / sigma
        label = "residual / σ"
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            residual = (decoded - intensity) / np.abs(intensity)
        label = "relative residual"
    good = np.isfinite(residual)
    bound = curve.get("bound")
    if bound is not None:
        axes.axhspan(-bound, bound, color=MUTED, alpha=0.16, linewidth=0)
        axes.set_ylim(-1.35 * bound, 1.35 * bound)
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.plot(q[good], residual[good], ".", color=DECODED, markersize=2.4)
    axes.set_ylabel(curve.get("residual_label", label), fontsize=8)


def _error_bars(values: np.ndarray, sigma: np.ndarray, log: bool) -> np.ndarray:
    sigma = np.where(np.isfinite(sigma) & (sigma > 0), sigma, 0.0)
    return np.stack([np.minimum(sigma, 0.98 * values) if log else sigma, sigma])


def _points(axes: Any, x: np.ndarray, y: np.ndarray, bars: Any, label: str) -> None:
    if bars is not None:
        axes.errorbar(x, y, bars, fmt="none", ecolor=MUTED, elinewidth=0.6, alpha=0.55)
    axes.plot(x, y, ".", color=DATA, markersize=4, label=label)


def _view(
    axes: Any, x: np.ndarray, scale: np.ndarray, intensity: np.ndarray, sigma: Any, decoded: Any
) -> None:
    good = np.isfinite(x) & np.isfinite(intensity)
    bars = None if sigma is None else np.where(np.isfinite(sigma), np.abs(sigma), 0)[good] * scale[good]
    _points(axes, x[good], (scale * intensity)[good], bars, "data")
    if decoded is not None:
        axes.plot(x[good], (scale * decoded)[good], "x", color=DECODED, markersize=3, alpha=0.8)
    centre = (scale * intensity)[good]
    low, high = np.nanquantile(centre, [0.005, 0.995])
    pad = 0.12 * (high - low)
    axes.set_ylim(min(low - pad, 0), high + pad)
