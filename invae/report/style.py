"""One look for all figures: colours that colour-blind readers tell apart, quiet axes, no global state.

Colours after Okabe and Ito (2008), reordered; every series also has its own marker and dash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from invae.extras import optional_imports

__all__ = [
    "COLORS",
    "DASHES",
    "ERROR_MAP",
    "IMAGE_MAP",
    "INK",
    "MARKERS",
    "MUTED",
    "PAPER",
    "label_axes",
    "label_powers",
    "new_figure",
    "styled",
]

INK = "#1c2733"
MUTED = "#66727f"
RULE = "#dfe4ea"
PAPER = "#ffffff"
COLORS = ("#0072b2", "#d55e00", "#009e73", "#a5578f", "#b98300", "#3d9cc9", "#4a4a4a", "#8c564b")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
DASHES = (
    "-",
    (0, (5, 1.6)),
    (0, (1.2, 1.4)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (3, 1.2)),
    "-",
    (0, (5, 1.6)),
    "-",
)
IMAGE_MAP = "gray"
ERROR_MAP = "RdBu_r"

RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 2.2,
    "text.color": INK,
    "text.parse_math": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "svg.fonttype": "path",
    "svg.hashsalt": "invae",
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 5),
    "image.interpolation": "nearest",
    "image.cmap": IMAGE_MAP,
}


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib settings for the time of drawing and saving one figure; the caller's come back after."""
    with optional_imports():
        import matplotlib

    with matplotlib.rc_context(RC):
        yield


def new_figure(width: float, height: float) -> Any:
    """Figure of the given size in inches, on the Agg canvas, with constrained layout."""
    with optional_imports():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def label_axes(axes: Any, spec: Mapping[str, Any]) -> None:
    """Titles, labels, scales and limits that all plots with axes understand."""
    if spec.get("title"):
        axes.set_title(spec["title"])
    axes.set_xlabel(spec.get("xlabel", ""))
    axes.set_ylabel(spec.get("ylabel", ""))
    for name in ("x", "y"):
        if spec.get(f"{name}scale"):
            getattr(axes, f"set_{name}scale")(spec[f"{name}scale"])
        if spec.get(f"{name}scale") == "log":
            label_powers(getattr(axes, f"{name}axis"))
        if spec.get(f"{name}lim") is not None:
            getattr(axes, f"set_{name}lim")(*spec[f"{name}lim"])


def label_powers(axis: Any) -> None:
    """Write the ticks of a logarithmic axis, or of a colour bar's, as powers of ten that do not overlap."""
    from invae.report.ticks import LogLabels

    axis.set_major_formatter(LogLabels())
    axis.set_minor_formatter(LogLabels(minor=True))
