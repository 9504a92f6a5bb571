"""Figures of general use: each function takes one data dict and gives a Matplotlib figure.

`DRAW` names them all; `invae.evaluation.results.Figure.kind` is a key of it. The docstring of each function
is the contract of its data dict (``?`` marks what may be left out). No pyplot, no global state.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from invae.errors import InputError
from invae.report.scattering_figures import frames, guinier_kratky_porod, scattering_curves
from invae.report.style import (
    COLORS,
    DASHES,
    ERROR_MAP,
    IMAGE_MAP,
    INK,
    MARKERS,
    MUTED,
    label_axes,
    label_powers,
    new_figure,
    styled,
)

__all__ = ["DRAW", "draw", "render"]

RASTER = ("images", "frames")


def lines(data: Mapping[str, Any]) -> Any:
    """Curves with optional error bars and bands, in one or several panels.

    ``series``: list of {label?, x, y, yerr?, band? (low, high), style? "line" | "markers" | "both" | "dashed"
    | "steps", color? (index)}; ``xlabel?, ylabel?, title?, xscale?, yscale?, xlim?, ylim?``;
    ``hlines?, vlines?``: list of {at, label?}. Or ``panels``: a list of such dicts, ``columns?``.
    """
    panels = data.get("panels") or [data]
    columns = min(len(panels), data.get("columns", 3))
    rows = -(-len(panels) // columns)
    figure = new_figure({1: 6.4, 2: 8.6}.get(columns, 10.2), (3.6 if columns == 1 else 2.9) * rows)
    for place, panel in enumerate(panels):
        axes = figure.add_subplot(rows, columns, place + 1)
        for index, series in enumerate(panel["series"]):
            _plot(axes, series, index)
        label_axes(axes, panel)
        for line in panel.get("hlines") or []:
            _reference(axes, "h", line)
        for line in panel.get("vlines") or []:
            _reference(axes, "v", line)
        _legend(axes)
    return figure


def images(data: Mapping[str, Any]) -> Any:
    """A table of images; every row shares one colour scale and has one colour bar.

    ``rows``: list of {label?, images (list of 2-D arrays or None), notes? (text under each image), cmap?,
    vmin?, vmax?, symmetric? (for error maps: zero is white), bar? (label of the colour bar)};
    ``titles?`` of the columns; ``size?`` inches per image (1.75).
    """
    rows = data["rows"]
    n_columns = max(len(row["images"]) for row in rows)
    shapes = [np.shape(image) for row in rows for image in row["images"] if image is not None]
    aspect = float(np.median([height / width for height, width in shapes]))
    size = data.get("size", 1.75 if n_columns > 3 else 2.2)
    figure = new_figure(
        size * n_columns + 1.0,
        sum(size * aspect + 0.08 + 0.18 * bool(row.get("notes")) for row in rows) + 0.25,
    )
    grid = figure.add_gridspec(len(rows), n_columns)
    for i, row in enumerate(rows):
        shown = [np.asarray(image, float) for image in row["images"] if image is not None]
        low, high = _limits(shown, row)
        cmap = row.get("cmap") or (ERROR_MAP if row.get("symmetric") else IMAGE_MAP)
        row_axes, picture = [], None
        for j, image in enumerate(row["images"]):
            axes = figure.add_subplot(grid[i, j])
            row_axes.append(axes)
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            for spine in axes.spines.values():
                spine.set_visible(False)
            if image is None:
                continue
            picture = axes.imshow(np.asarray(image, float), cmap=cmap, vmin=low, vmax=high)
            if i == 0 and data.get("titles"):
                axes.set_title(data["titles"][j], loc="center")
            if row.get("notes") and row["notes"][j]:
                axes.set_xlabel(row["notes"][j], fontsize=8, color=MUTED, labelpad=3)
        if row.get("label"):
            row_axes[0].set_ylabel(row["label"], fontsize=9)
        if picture is not None:
            bar = figure.colorbar(
                picture, ax=row_axes, shrink=0.86, aspect=18, pad=0.015, label=row.get("bar", "")
            )
            bar.outline.set_visible(False)
            bar.ax.tick_params(length=2)
    return figure


def bars(data: Mapping[str, Any]) -> Any:
    """Grouped bars, one group per entry of ``groups`` and one bar per series.

    ``groups``: list of text; ``series``: list of {label?, values (None: no bar), errors?};
    ``xlabel?, ylabel?, title?, yscale?``; ``horizontal?``; ``values?`` (write the number at each bar: a
    format such as ``".3g"``); ``hlines?``: list of {at, label?}.
    """
    groups, series = list(data["groups"]), data["series"]
    horizontal = bool(data.get("horizontal"))
    n_bars = len(groups) * len(series)
    if horizontal:
        figure = new_figure(7.0, 1.1 + 0.26 * n_bars + 0.12 * len(groups))
    else:
        figure = new_figure(min(10.5, max(5.0, 1.6 + 0.42 * n_bars)), 3.6)
    axes = figure.add_subplot()
    width = 0.8 / len(series)
    for index, one in enumerate(series):
        values = np.array([np.nan if v is None else v for v in one["values"]], float)
        at = np.arange(len(groups)) + (index - (len(series) - 1) / 2) * width
        color = COLORS[index % len(COLORS)]
        draw_bars, errors = (axes.barh, "xerr") if horizontal else (axes.bar, "yerr")
        extra = {errors: one["errors"]} if one.get("errors") is not None else {}
        made = draw_bars(at, values, width * 0.92, color=color, label=one.get("label"), ecolor=INK, **extra)
        if data.get("values"):
            texts = ["" if np.isnan(v) else format(v, data["values"]) for v in values]
            axes.bar_label(made, texts, fontsize=7, padding=2, color=MUTED)
    label_axes(axes, data)
    if horizontal:
        axes.set_yticks(range(len(groups)), groups)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
    else:
        long = max(map(len, map(str, groups))) * len(groups) > 70
        turn = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
        axes.set_xticks(range(len(groups)), groups, **turn)
        axes.grid(axis="x", visible=False)
    for line in data.get("hlines") or []:
        _reference(axes, "v" if horizontal else "h", line)
    _legend(axes, outside=len(series) > 4)
    return figure


def heatmap(data: Mapping[str, Any]) -> Any:
    """A matrix of numbers as colours, written into the cells when there are few.

    ``matrix`` (2-D); ``rows?, columns?``: tick labels; ``xlabel?, ylabel?, title?, bar?``; ``cmap?``;
    ``log?``; ``center?`` (value shown white); ``annotate?`` (format such as ``".2f"``, False: never).
    """
    from matplotlib.colors import LogNorm, Normalize, TwoSlopeNorm

    matrix = np.asarray(data["matrix"], float)
    n_rows, n_columns = matrix.shape
    few = n_rows * n_columns <= 200
    figure = new_figure(
        min(10.5, 2.4 + 0.62 * n_columns) if few else 6.2, min(9.0, 1.5 + 0.42 * n_rows) if few else 4.8
    )
    axes = figure.add_subplot()
    good = matrix[np.isfinite(matrix)]
    low, high = (float(good.min()), float(good.max())) if good.size else (0.0, 1.0)
    norm: Normalize | None = None
    if data.get("log"):
        norm = LogNorm(max(low, 1e-300), high)
    elif data.get("center") is not None:
        reach = max(high - data["center"], data["center"] - low, 1e-300)
        norm = TwoSlopeNorm(data["center"], data["center"] - reach, data["center"] + reach)
    cmap = data.get("cmap") or (ERROR_MAP if data.get("center") is not None else "viridis")
    picture = axes.imshow(matrix, cmap=cmap, norm=norm, aspect="auto")
    axes.grid(False)
    label_axes(axes, data)
    if data.get("columns") is not None:
        labels = [str(c) for c in data["columns"]]
        turn = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if max(map(len, labels)) > 6 else {}
        axes.set_xticks(range(n_columns), labels, **turn)
    if data.get("rows") is not None:
        axes.set_yticks(range(n_rows), [str(r) for r in data["rows"]])
    form = data.get("annotate", ".3g")
    if few and form:
        for i in range(n_rows):
            for j in range(n_columns):
                if np.isfinite(matrix[i, j]):
                    red, green, blue, _ = picture.cmap(picture.norm(matrix[i, j]))
                    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
                    text = format(matrix[i, j], form)
                    axes.text(
                        j, i, text, ha="center", va="center", fontsize=7.5, color="white" if dark else INK
                    )
    bar = figure.colorbar(picture, ax=axes, shrink=0.9, aspect=22, pad=0.02, label=data.get("bar", ""))
    if data.get("log"):
        label_powers(bar.ax.yaxis)
    bar.outline.set_visible(False)
    return figure


def scatter(data: Mapping[str, Any]) -> Any:
    """Points, joined or not; for rate against error, or error against time.

    ``series``: list of {label?, x, y, xerr?, yerr?, texts? (beside each point), join?};
    ``xlabel?, ylabel?, title?, xscale?, yscale?, xlim?, ylim?``; ``identity?`` (the line y = x);
    ``hlines?, vlines?``: list of {at, label?}.
    """
    figure = new_figure(6.6, 4.2)
    axes = figure.add_subplot()
    for index, series in enumerate(data["series"]):
        x, y = np.atleast_1d(np.asarray(series["x"], float)), np.atleast_1d(np.asarray(series["y"], float))
        color, marker = COLORS[index % len(COLORS)], MARKERS[index % len(MARKERS)]
        if series.get("xerr") is not None or series.get("yerr") is not None:
            axes.errorbar(
                x, y, series.get("yerr"), series.get("xerr"), "none", ecolor=color, elinewidth=0.8, alpha=0.6
            )
        join = DASHES[index % len(DASHES)] if series.get("join") else "none"
        many = len(x) > 400
        axes.plot(
            x, y, marker=marker, linestyle=join, color=color, label=series.get("label"), rasterized=many,
            markersize=2 if many else 5.5, markeredgecolor="none" if many else "white", markeredgewidth=0.6,
            alpha=0.5 if many else 1,
        )  # fmt: skip
        for text, a, b in zip(series.get("texts") or [], x, y):
            axes.annotate(str(text), (a, b), (5, 4), textcoords="offset points", fontsize=7.5, color=MUTED)
    label_axes(axes, data)
    if data.get("identity"):
        low = max(axes.get_xlim()[0], axes.get_ylim()[0])
        high = min(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([low, high], [low, high], color=MUTED, linewidth=0.9, linestyle=DASHES[1], zorder=1)
    for line in data.get("hlines") or []:
        _reference(axes, "h", line)
    for line in data.get("vlines") or []:
        _reference(axes, "v", line)
    _legend(axes, outside=len(data["series"]) > 6)
    return figure


def risk_curve(data: Mapping[str, Any]) -> Any:
    """Predicted against measured risk over the rank; below it their ratio with a +-2 % band.

    ``curves``: list of {label?, rank, predicted, measured?, measured_error? (one standard error),
    measured_rank? (default: rank)}, or one such dict at the top level; ``chosen?`` (a rank); ``ylabel?``;
    ``yscale?`` ("log"); ``band?`` (0.02).
    """
    curves = data.get("curves") or [data]
    compared = [curve for curve in curves if curve.get("measured") is not None]
    figure = new_figure(6.8, 4.6 if compared else 3.6)
    if compared:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.1))
    else:
        axes, below = figure.add_subplot(), None
    band = data.get("band", 0.02)
    for index, curve in enumerate(curves):
        color = COLORS[index % len(COLORS)]
        name = f"{curve['label']}: " if curve.get("label") else ""
        rank, predicted = np.asarray(curve["rank"], float), np.asarray(curve["predicted"], float)
        axes.plot(rank, predicted, color=color, label=f"{name}predicted")
        if curve.get("measured") is None:
            continue
        at = np.asarray(curve.get("measured_rank", rank), float)
        measured = np.asarray(curve["measured"], float)
        error = (
            np.zeros_like(measured)
            if curve.get("measured_error") is None
            else np.asarray(curve["measured_error"], float)
        )
        marker = MARKERS[index % len(MARKERS)]
        points = {
            "color": color,
            "marker": marker,
            "linestyle": "none",
            "markeredgecolor": "white",
            "elinewidth": 0.9,
        }
        points |= {"markersize": 5, "markeredgewidth": 0.6}
        axes.errorbar(at, measured, error, label=f"{name}measured", **points)
        expected = np.interp(at, rank, predicted)
        below.errorbar(at, measured / expected, error / expected, **points)
    label_axes(
        axes, {"ylabel": data.get("ylabel", "expected squared error"), "yscale": data.get("yscale", "log")}
    )
    if data.get("chosen") is not None:
        _reference(axes, "v", {"at": data["chosen"], "label": f"chosen rank {int(data['chosen'])}"})
    if below is not None:
        below.axhspan(1 - band, 1 + band, color=MUTED, alpha=0.16, linewidth=0)
        below.axhline(1, color=MUTED, linewidth=0.8)
        low, high = below.get_ylim()
        below.set_ylim(min(low, 1 - 2 * band), max(high, 1 + 2 * band))
        label_axes(below, {"xlabel": data.get("xlabel", "rank"), "ylabel": "measured /\npredicted"})
        axes.tick_params(labelbottom=False)
    else:
        axes.set_xlabel(data.get("xlabel", "rank"))
    _legend(axes)
    return figure


DRAW: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "lines": lines,
    "images": images,
    "bars": bars,
    "heatmap": heatmap,
    "scatter": scatter,
    "risk_curve": risk_curve,
    "scattering_curves": scattering_curves,
    "guinier_kratky_porod": guinier_kratky_porod,
    "frames": frames,
}


def draw(kind: str, data: Mapping[str, Any]) -> Any:
    """Matplotlib figure of one kind.

    Raises
    ------
    InputError
        There is no such kind, or ``data`` lacks what it needs.
    """
    if kind not in DRAW:
        raise InputError(f"no figure of kind {kind!r}; known are {', '.join(DRAW)}")
    try:
        with styled():
            return DRAW[kind](data)
    except KeyError as error:
        raise InputError(f"a figure of kind {kind!r} needs {error} in its data") from error


def render(kind: str, data: Mapping[str, Any]) -> tuple[bytes, str]:
    """Picture of a figure and its MIME type: SVG for drawings, PNG for images."""
    figure = draw(kind, data)
    buffer = io.BytesIO()
    with styled():
        if kind in RASTER:
            figure.savefig(buffer, format="png", dpi=170, metadata={"Software": None})
            return buffer.getvalue(), "image/png"
        figure.savefig(buffer, format="svg", dpi=170, metadata={"Date": None, "Creator": None})
        return buffer.getvalue(), "image/svg+xml"


def _plot(axes: Any, series: Mapping[str, Any], index: int) -> None:
    index = series.get("color", index)
    color, marker = COLORS[index % len(COLORS)], MARKERS[index % len(MARKERS)]
    y = np.asarray(series["y"], float)
    x = np.arange(y.size) if series.get("x") is None else np.asarray(series["x"], float)
    style, label = series.get("style", "line"), series.get("label")
    if series.get("band") is not None:
        low, high = (np.asarray(edge, float) for edge in series["band"])
        axes.fill_between(x, low, high, color=color, alpha=0.16, linewidth=0)
    if series.get("yerr") is not None:
        axes.errorbar(x, y, series["yerr"], fmt="none", ecolor=color, elinewidth=0.8, alpha=0.6)
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.6, "markersize": 5}
    if style == "steps":
        axes.step(x, y, where="mid", color=color, label=label)
    elif style == "markers":
        axes.plot(x, y, marker, color=color, label=label, **edge)
    elif style == "both":
        axes.plot(
            x, y, color=color, linestyle=DASHES[index % len(DASHES)], marker=marker, label=label, **edge
        )
    elif style in ("line", "dashed"):
        dash = DASHES[1] if style == "dashed" else "-"
        axes.plot(x, y, color=color, linestyle=dash, label=label)
    else:
        raise InputError(f"style {style!r} is unknown; use line, dashed, markers, both or steps")


def _reference(axes: Any, way: str, line: Mapping[str, Any]) -> None:
    draw_line = axes.axhline if way == "h" else axes.axvline
    draw_line(line["at"], color=MUTED, linewidth=0.9, linestyle=DASHES[1], zorder=1)
    if not line.get("label"):
        return
    text = {"textcoords": "offset points", "fontsize": 7.5, "color": MUTED}
    if way == "h":
        place = {"xycoords": ("axes fraction", "data"), "ha": "left", "va": "center"}
        axes.annotate(line["label"], (1.0, line["at"]), (4, 0), **place, **text)
    else:
        place = {"xycoords": ("data", "axes fraction"), "ha": "left", "va": "top"}
        axes.annotate(line["label"], (line["at"], 0.98), (4, 0), **place, **text)


def _limits(shown: list[np.ndarray], row: Mapping[str, Any]) -> tuple[float, float]:
    finite = np.concatenate([image[np.isfinite(image)] for image in shown] or [np.zeros(1)])
    if finite.size == 0:
        finite = np.zeros(1)
    if row.get("symmetric"):
        reach = float(np.quantile(np.abs(finite), 0.995)) or 1.0
        reach = row["vmax"] if row.get("vmax") is not None else reach
        return -reach, reach
    low = row["vmin"] if row.get("vmin") is not None else float(finite.min())
    high = row["vmax"] if row.get("vmax") is not None else float(finite.max())
    return low, high


def _legend(axes: Any, outside: bool = False) -> None:
    _, labels = axes.get_legend_handles_labels()
    if not labels or (len(labels) == 1 and not labels[0]):
        return
    if outside or len(labels) > 8:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
    else:
        axes.legend(loc="best", ncols=2 if len(labels) > 5 else 1)
