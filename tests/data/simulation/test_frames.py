from __future__ import annotations

import numpy as np
import pytest

from invae.data.simulation import sasmodels_bridge
from invae.data.simulation.frames import simulate_frames
from invae.data.simulation.sets import BEAMSTOP, DEAD, GAP, HOT, SimulatedFrames
from invae.errors import InputError

pytestmark = pytest.mark.skipif(not sasmodels_bridge.has_compiler(), reason="no C compiler")
MODELS = ["cylinder", "ellipsoid"]


def test_frame_does_not_depend_on_how_many_are_made_or_on_processes():
    many = simulate_frames(20, MODELS, (24, 20), rng=1, dose=1e5)
    few = simulate_frames(18, MODELS, (24, 20), rng=1, dose=1e5, jobs=2)
    assert np.array_equal(many.data[:18], few.data) and many.geometry[:18] == few.geometry


@pytest.mark.parametrize("name", sasmodels_bridge.ORIENTED_MODELS)
def test_every_oriented_model_gives_a_frame(name):
    frames = simulate_frames(1, [name], (16, 16), rng=0, dispersity=False, gaps=False)
    assert np.isfinite(frames.expected).all() and (frames.expected > 0).all()


def test_counts_scatter_about_what_is_expected_at_the_stated_dose():
    frames = simulate_frames(6, MODELS, (64, 64), rng=3, dose=1e6)
    good = (frames.mask & (GAP | DEAD | HOT)) == 0
    for counts, expected, inside in zip(frames.data, frames.expected, good):
        assert abs(expected[inside].sum() / 1e6 - 1) < 1e-9
        z = ((counts - expected) / np.sqrt(expected))[inside & (expected > 20)]
        assert abs(z.std() - 1) < 0.15


def test_sentinels_and_mask_agree():
    frames = simulate_frames(4, MODELS, (64, 48), rng=5, dose=1e6, dead=0.01, hot=0.01)
    assert np.array_equal(frames.data == -1, (frames.mask & GAP) > 0)
    assert np.array_equal(frames.data == -2, (frames.mask & (GAP | DEAD)) == DEAD)
    assert (frames.data[(frames.mask & (HOT | GAP)) == HOT] > 1000).all()
    assert (frames.mask & HOT).any() and (frames.mask & DEAD).any()


def test_without_dose_masked_pixels_are_nan_and_the_rest_is_expected():
    frames = simulate_frames(2, MODELS, (32, 32), rng=5, hot=0.0)
    masked = (frames.mask & (GAP | DEAD)) > 0
    assert np.array_equal(np.isnan(frames.data), masked)
    assert np.array_equal(frames.data[~masked], frames.expected[~masked])


def test_pattern_is_centrosymmetric_about_the_beam_wherever_it_hits():
    options = {"beamstop": None, "gaps": False, "dead": 0.0, "hot": 0.0}
    frames = simulate_frames(3, MODELS, (41, 41), rng=2, centre=(15.0, 22.0), **options)
    for frame in frames.data:
        around = frame[:31, 4:41]
        np.testing.assert_allclose(around, around[::-1, ::-1], rtol=1e-6)


def test_beamstop_hides_the_beam():
    frames = simulate_frames(3, MODELS, (64, 64), rng=2, centre="middle", beamstop=0.05, smearing=0.0)
    for expected, mask in zip(frames.expected, frames.mask):
        shadow = (mask & BEAMSTOP) > 0
        assert shadow[31, 31] and expected[shadow].max() < 0.5 * expected[~shadow].max()


def test_records_have_q_zero_at_the_beam():
    frames = simulate_frames(2, MODELS, (20, 30), rng=2, dose=1e4, centre=(7.0, 11.0))
    record = frames.records()[1]
    q = np.hypot(record.qx, record.qy)
    assert q[7, 11] == 0 and record.units["qx"] == "1/angstrom" and record.metadata["model"] in MODELS
    assert q[7, 12] == pytest.approx(frames.geometry[1]["q_per_pixel"])


def test_file_and_cache_hold_everything(tmp_path):
    frames = simulate_frames(3, MODELS, (16, 16), rng=2, dose=1e4, cache=tmp_path)
    again = simulate_frames(2, MODELS, (16, 16), rng=2, dose=1e4, cache=tmp_path)
    assert np.array_equal(frames.data[:2], again.data)
    back = SimulatedFrames.read(frames.write(tmp_path / "f.h5"))
    assert np.array_equal(back.data, frames.data) and np.array_equal(back.mask, frames.mask)
    assert (back.parameters, back.geometry) == (frames.parameters, frames.geometry)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (4, 4)}, "shape"),
        ({"dose": 0.0}, "dose"),
        ({"centre": "left"}, "centre"),
        ({"q_max": (0.3, 0.1)}, "q_max"),
        ({"dead": 0.6}, "dead"),
        ({"shares": {"sphere": 1.0}}, "shares"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        simulate_frames(1, MODELS, **arguments)
