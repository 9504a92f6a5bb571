"""Frames: neighbourhood mixing, symmetry, dithered counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import poisson

import invae
from invae.codec import (
    Archive,
    Bound,
    CodecModel,
    compress,
    decompress,
    default_model,
    train_codec,
)
from invae.codec.fields.integers import encode_integers
from invae.codec.frames import model as frame_model
from invae.codec.frames.centres import find_centres
from invae.codec.frames.model import FrameModel, shipped_frame_model
from invae.codec.learning.frames import draw_frame_planes, fit_frame_taps
from invae.codec.sigma.counts import DitheredCells, dither
from invae.errors import FormatError, InputError, ModelError


def rings(shape=(64, 64), centre=(30.5, 33.0), scale=20.0):
    """Mean counts of a ring pattern about a centre."""
    y, x = np.indices(shape)
    q = np.hypot(y - centre[0], x - centre[1])
    return scale * (2 + np.cos(q / 3)) * np.exp(-q / 15) + 0.3


@settings(deadline=None, max_examples=40)
@given(
    arrays(np.int64, (24, 13), elements=st.integers(-(2**28), 2**28) | st.integers(-2, 9)),
    st.sampled_from([8, 12, 24]),
    st.sampled_from([shipped_frame_model(), FrameModel.untrained()]),
)
def test_any_stack_comes_back(plane, height, model):
    assert np.array_equal(model.decode(model.encode(plane, height), *plane.shape), plane)


def test_what_does_not_suit_is_left_to_the_other_coder():
    model = shipped_frame_model()
    assert model.encode(np.zeros((4, 4), np.int64), 4) is None
    assert model.encode(np.full((40, 40), 2**40), 40) is None
    assert model.encode(np.zeros((40, 40), np.int64), 7) is None


@pytest.mark.parametrize("scale", [1.0, 20.0, 300.0])
def test_poisson_counts_take_little_more_than_their_entropy(rng, scale):
    mean = rings(scale=scale)
    counts = rng.poisson(mean, (8, 64, 64))
    k = np.arange(0, counts.max() + 200)[:, None]
    mass = poisson.pmf(k, mean.ravel()[None])
    floor = -(mass * np.log2(np.maximum(mass, 1e-300))).sum(axis=0).mean()
    taken = 8 * len(shipped_frame_model().encode(counts.reshape(-1, 64), 64)) / counts.size
    assert floor < taken < 1.08 * floor + 0.08


def test_a_centre_of_symmetry_is_found_and_pays(monkeypatch):
    mean = rings(centre=(30.5, 33.0))
    frame = np.rint(100 * mean).astype(np.int64)
    assert find_centres(frame[None]) == [(62, 67)]
    assert find_centres(np.stack([frame, frame])) == [(62, 67)] * 2
    slope = np.add.outer(np.arange(64), 3 * np.arange(64))
    assert find_centres(slope[None] ** 2) == [(0, 0)]
    smooth = np.rint(np.log10(mean) / 2e-4).astype(np.int64)
    with_it = len(shipped_frame_model().encode(smooth, 64))
    monkeypatch.setattr(frame_model, "find_centres", lambda stack: [(0, 0)] * len(stack))
    assert with_it < 0.7 * len(shipped_frame_model().encode(smooth, 64))


def test_frames_beat_the_plain_coder_and_name_their_model(rng):
    counts = rng.poisson(rings(scale=20.0), (8, 64, 64)).reshape(-1, 64)
    chosen = encode_integers(counts, default_model(), height=64)
    assert chosen[0] == 252 and chosen[1:5] == shipped_frame_model().digest[:4]
    assert len(chosen) < 0.95 * len(encode_integers(counts))


def test_training_pays_on_smooth_frames():
    smooth = np.rint(np.log10(rings(shape=(96, 64), centre=(-9.0, 80.0))) / 2e-2).astype(np.int64)
    trained, untrained = shipped_frame_model(), FrameModel.untrained()
    assert len(trained.encode(smooth, 96)) < 0.85 * len(untrained.encode(smooth, 96))


def test_coding_leaves_the_model_as_it_was():
    frame, model = np.rint(rings()).astype(np.int64), shipped_frame_model()
    assert model.encode(frame, 64) == model.encode(frame, 64)


def test_damaged_frames_end():
    model = shipped_frame_model()
    data = model.encode(np.rint(rings()).astype(np.int64), 64)
    for k in range(0, len(data), 5):
        damaged = bytearray(data)
        damaged[k] ^= 0x41
        try:
            model.decode(bytes(damaged), 64, 64)
        except FormatError:
            continue
    with pytest.raises(FormatError):
        model.decode(b"", 64, 64)


def test_the_shipped_model_is_small_and_damaged_or_foreign_ones_are_refused():
    data = shipped_frame_model().to_bytes()
    assert len(data) <= 25_000 and FrameModel.from_bytes(data).digest == shipped_frame_model().digest
    for wrong, message in ((b"nonsense", "no frame model"), (data[:200], "damaged")):
        with pytest.raises(ModelError, match=message):
            FrameModel.from_bytes(wrong)
    weights = shipped_frame_model().arrays
    weights["N1"][0, 0] = 128
    with pytest.raises(ModelError, match="beyond 127"):
        FrameModel.from_bytes(FrameModel(weights).to_bytes())


def test_a_frame_model_of_ones_own_is_asked_for_and_travels(rng, tmp_path):
    frames = [rng.poisson(rings(centre=(k, 20.0))) for k in range(0, 40, 10)]
    own = train_codec(frames, n_steps=50, n_draws=1)
    assert own.curves.digest == default_model().curves.digest and own.own_frames
    counts = rng.poisson(rings(), (2, 64, 64)).astype(np.int32)
    blob = compress(counts, "lossless", model=own)
    with pytest.raises(ModelError, match="not at hand"):
        decompress(blob)
    assert np.array_equal(decompress(blob, model=own), counts)
    assert np.array_equal(decompress(compress(counts, "lossless", model=own, embed=True)), counts)
    path = invae.save(own, tmp_path / "own.h5")
    with Archive(blob, model=invae.load(path)) as archive:
        assert np.array_equal(archive[0], counts)
    assert np.array_equal(decompress(compress(counts, "lossless", model=None)), counts)
    both = CodecModel.from_bytes(own.to_bytes())
    assert both.digest == own.digest and both.frames.digest == own.frames.digest
    with pytest.raises(ModelError, match="damaged"):
        CodecModel.from_bytes(own.to_bytes()[:40])
    curves = train_codec(
        [np.exp(-np.linspace(0, 5 + k, 60)) for k in range(9)], n_steps=20, n_draws=1, start=own
    )
    assert curves.frames.digest == own.frames.digest and curves.curves.digest != own.curves.digest


def test_training_wants_curves_or_frames():
    with pytest.raises(InputError, match="16 x 16"):
        train_codec([np.zeros((4, 90), np.int64)])
    with pytest.raises(InputError, match="item 1 has shape"):
        train_codec([np.ones(30), np.array("text")])


def test_planes_for_training_are_whole_numbers_of_every_kind(rng):
    frames = [rng.poisson(rings()) for _ in range(3)] + [rings(), -rings(), np.full((300, 20), 2.0)]
    frames[0][3, 4] = -1
    planes = draw_frame_planes(frames, (1e-3, 1e-1), rng, 2)
    assert sum(codes.size for codes, _, _ in planes) == 2 * (5 * 4096 + 256 * 20)
    assert all(codes.dtype == np.int64 and codes.shape[0] % height == 0 for codes, height, _ in planes)
    assert {offsets.size in (0, codes.size) for codes, _, offsets in planes} == {True}


def test_taps_foresee_what_is_linear(rng):
    rows = np.zeros((4000, 31), np.int64)
    rows[:, 1:20] = rng.integers(-900, 900, (4000, 19))
    rows[:, -2] = rows[:, 1] + rows[:, 3] - rows[:, 2]
    taps = fit_frame_taps(rows, rng)
    assert np.allclose(taps[0, 1:4] / 2**14, [1, -1, 1], atol=1e-3) and not taps[1].any()


@pytest.mark.parametrize("k", [0.25, 0.5, 1.0])
def test_dithered_counts_keep_bound_small_counts_and_sums(k):
    mean = np.repeat([3.0, 20.0, 100.0, 1000.0], 20000)
    counts = np.random.default_rng(2).poisson(mean).reshape(4, 20000)
    back = decompress(compress(counts, Bound("sigma", k)))
    assert Bound("sigma", k).check(counts, back).all()
    assert np.array_equal(back[counts <= 8], counts[counts <= 8])
    error = (back - counts) / np.sqrt(np.maximum(counts, 1))
    rings_of_500 = error[1:].reshape(3, 40, 500).sum(axis=2) / np.sqrt(500)
    assert np.abs(rings_of_500).max() < 2.7 * k and np.sqrt((rings_of_500**2).mean()) < 0.9 * k
    assert error.std(axis=1).max() < 1.02 * k / np.sqrt(3)
    for row, e in zip(counts[2:], error[2:]):  # errors do not follow the counts
        assert abs(np.corrcoef(row, e)[0, 1]) < 0.03


@pytest.mark.parametrize("k", [0.25, 0.5, 1.0, 2.0])
def test_errors_of_dithered_counts_have_no_mean_at_the_lowest_ones(k):
    u = (np.arange(4096) << 12) + 2048
    cells = DitheredCells(k, 200)
    for n in range(61):
        counts = np.full(u.size, n)
        error = cells.counts(cells.numbers(counts, u), u) - n
        assert np.abs(error).max() <= k * np.sqrt(max(n, 1))
        assert n > 8 or not error.any()
        assert abs(error.mean()) < 0.13 * np.sqrt(max(n, 1))


def test_dither_is_uniform_and_frozen():
    u = dither(100000, 0)
    assert abs(u.mean() / 2**23 - 1) < 0.01 and u.min() >= 0 and u.max() < 2**24
    assert dither(3, 0).tolist() == [14819496, 7239838, 443485]
    assert dither(3, 1).tolist() != dither(3, 0).tolist()


def test_cells_hold_every_count_up_to_the_top():
    for top in (0, 5, 8, 9, 10, 500):
        scale = DitheredCells(0.5, top)
        n = np.arange(top + 1)
        u = dither(n.size, 3)
        assert np.all(np.abs(scale.counts(scale.numbers(n, u), u) - n) <= 0.5 * np.sqrt(n) + 1)
