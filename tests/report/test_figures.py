import io
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import numpy as np
import pytest

from invae.errors import InputError
from invae.report.figures import DRAW, draw, render
from invae.report.scattering_figures import _reduce
from invae.report.style import styled

KINDS = list(DRAW)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_draws_and_renders(kind, gallery):
    picture, mime = render(kind, gallery[kind])
    if mime == "image/png":
        assert picture.startswith(b"\x89PNG")
    else:
        assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert len(picture) > 5000


@pytest.mark.parametrize("kind", ["images", "scatter"])
def test_drawing_is_repeatable_and_leaves_its_data_and_the_settings_alone(kind, gallery):
    import matplotlib

    before, copy = dict(matplotlib.rcParams), repr(gallery[kind])
    first, second = render(kind, gallery[kind])[0], render(kind, gallery[kind])[0]
    assert first == second
    assert repr(gallery[kind]) == copy
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("kind", KINDS)
def test_missing_data_is_named(kind):
    with pytest.raises(InputError, match="needs"):
        draw(kind, {})


def test_unknown_kind_and_style_are_refused():
    with pytest.raises(InputError, match="no figure of kind 'pie'"):
        draw("pie", {})
    with pytest.raises(InputError, match="style"):
        draw("lines", {"series": [{"y": [1, 2], "style": "wavy"}]})


def test_no_pyplot():
    import subprocess
    import sys

    code = (
        "import sys; from invae.report.figures import render;"
        "render('lines', {'series': [{'y': [1.0, 2.0]}]}); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_single_lists_and_horizontal_bars_draw():
    render("bars", {"groups": ["a"], "series": [{"values": [1]}], "horizontal": True})
    render("lines", {"series": [{"label": "one", "y": [3.0, 1.0]}], "xlim": (0, 1), "ylim": (0, 4)})
    render("risk_curve", {"rank": [1, 2], "predicted": [3.0, 2.0]})
    render("heatmap", {"matrix": np.ones((30, 40)), "log": True})
    render("frames", {"frames": [{"data": np.zeros((8, 8))}]})


def test_reduction_of_large_frames_keeps_hot_pixels():
    frame = np.zeros((2500, 1500))
    frame[1234, 777] = 9.0
    frame[0, 0] = np.nan
    small = _reduce(frame)
    assert max(small.shape) <= 1000 and np.nanmax(small) == 9


def test_reduction_of_frames_keeps_the_last_rows_and_columns():
    frame = np.zeros((1043, 981))
    frame[1042, 980] = 9.0
    assert np.nanmax(_reduce(frame)) == 9


def tick_labels(axis, renderer):
    """Place and box of every label in view, major and minor, from the start of the axis."""
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    shown = [t for t in ticks if t.label1.get_text() and low <= t.get_loc() <= high]
    return [t.label1.get_window_extent(renderer) for t in sorted(shown, key=lambda t: t.get_loc())]


@pytest.mark.parametrize("kind", ["scatter", "lines"])
@pytest.mark.parametrize("decades", [0.05, 0.2, 0.35, 0.5, 0.9, 1.5, 1.9, 2.5, 9.0])
@pytest.mark.parametrize("start", [0.00015, 0.2029, 1.0, 6.0])
def test_labels_of_logarithmic_axes_do_not_overlap(kind, decades, start):
    span = [start, start * 10**decades]
    one = {"series": [{"x": span, "y": span}], "xscale": "log", "yscale": "log"}
    figure = draw(kind, {"panels": [one] * 3} if kind == "lines" else one)
    with styled():
        figure.canvas.draw()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            boxes = tick_labels(axis, figure.canvas.get_renderer())
            assert len(boxes) >= 1
            assert not any(one.overlaps(other) for one, other in pairwise(boxes))


def test_dollars_in_names_are_no_formulas(gallery):
    named = gallery["scattering_curves"]["curves"][0] | {"title": r"a $x_$ b \frac{$"}
    render("scattering_curves", {"curves": [named], "q_unit": "$", "intensity_unit": "$_$"})
    render("frames", {"frames": [gallery["frames"]["frames"][0] | {"title": "$_$"}]})
    render("scatter", gallery["scatter"] | {"title": "$_$", "xlabel": "$^$"})


def test_png_has_the_size_of_the_figure(gallery):
    from PIL import Image

    picture, _ = render("images", gallery["images"])
    assert Image.open(io.BytesIO(picture)).size[0] > 900
