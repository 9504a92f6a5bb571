"""Frames: neighbourhood mixing, symmetry, dithered counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import poisson

from invae.codec import Bound, compress, decompress, frames
from invae.codec.counts import DitheredCells, dither
from invae.codec.frames import _find_centres, decode_frames, encode_frames
from invae.codec.integers import encode_integers
from invae.codec.varint import Reader
from invae.errors import FormatError


def rings(shape=(64, 64), centre=(30.5, 33.0), scale=20.0):
    """Mean counts of a ring pattern about a centre."""
    y, x = np.indices(shape)
    q = np.hypot(y - centre[0], x - centre[1])
    return scale * (2 + np.cos(q / 3)) * np.exp(-q / 15) + 0.3


@settings(deadline=None, max_examples=40)
@given(
    arrays(np.int64, (24, 13), elements=st.integers(-(2**28), 2**28) | st.integers(-2, 9)),
    st.sampled_from([8, 12, 24]),
)
def test_any_stack_comes_back(plane, height):
    assert np.array_equal(decode_frames(encode_frames(plane, height), *plane.shape), plane)


def test_what_does_not_suit_is_left_to_the_other_coder():
    assert encode_frames(np.zeros((4, 4), np.int64), 4) is None
    assert encode_frames(np.full((40, 40), 2**40), 40) is None
    assert encode_frames(np.zeros((40, 40), np.int64), 7) is None


@pytest.mark.parametrize("scale", [1.0, 20.0, 300.0])
def test_poisson_counts_take_little_more_than_their_entropy(rng, scale):
    mean = rings(scale=scale)
    counts = rng.poisson(mean, (8, 64, 64))
    k = np.arange(0, counts.max() + 200)[:, None]
    mass = poisson.pmf(k, mean.ravel()[None])
    floor = -(mass * np.log2(np.maximum(mass, 1e-300))).sum(axis=0).mean()
    assert floor < 8 * len(encode_frames(counts.reshape(-1, 64), 64)) / counts.size < 1.12 * floor + 0.1


def test_a_centre_of_symmetry_is_found_and_pays(monkeypatch):
    mean = rings(centre=(30.5, 33.0))
    frame = np.rint(100 * mean).astype(np.int64)
    assert _find_centres(frame[None]) == [(62, 67)]
    assert _find_centres(np.stack([frame, frame])) == [(62, 67)] * 2
    slope = np.add.outer(np.arange(64), 3 * np.arange(64))
    assert _find_centres(slope[None] ** 2) == [(0, 0)]
    smooth = np.rint(np.log10(mean) / 2e-4).astype(np.int64)
    with_it = len(encode_frames(smooth, 64))
    monkeypatch.setattr(frames, "_find_centres", lambda stack: [(0, 0)] * len(stack))
    assert with_it < 0.7 * len(encode_frames(smooth, 64))


def test_frames_beat_the_plain_coder_and_are_chosen(rng):
    counts = rng.poisson(rings(scale=20.0), (8, 64, 64)).reshape(-1, 64)
    chosen = encode_integers(counts, height=64)
    assert chosen[0] == 253 and len(chosen) < 0.97 * len(encode_integers(counts))


def test_damaged_frames_end():
    data = encode_frames(np.rint(rings()).astype(np.int64), 64)
    for k in range(0, len(data), 5):
        damaged = bytearray(data)
        damaged[k] ^= 0x41
        try:
            decode_frames(bytes(damaged), 64, 64)
        except FormatError:
            continue
    with pytest.raises(FormatError):
        Reader(b"").byte()


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
