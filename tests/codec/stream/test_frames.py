"""The stream coder: every integer comes back, by index, in any order of threads; damage is an error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from invae.codec.stream import decode_frame, decode_frames, encode_frames
from invae.errors import FormatError, InputError

DTYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")


def assert_same(array, **options):
    data = encode_frames(array, **options)
    again = decode_frames(data)
    assert again.dtype == array.dtype.newbyteorder("=")
    assert again.shape == array.shape
    np.testing.assert_array_equal(again, array)
    return data


def bits(array):
    return 8 * len(assert_same(array)) / array.size


def image(mean, shape=(64, 90)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    expected = 0.1 + np.exp(-np.hypot(y - 20, x - 50) / 25)
    return expected * (mean / expected.mean())


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from(DTYPES).map(np.dtype),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9),
    )
)
def test_any_dtype_and_shape_comes_back(array):
    assert_same(array)


@pytest.mark.parametrize("dtype", DTYPES[1:])
@pytest.mark.parametrize("shape", [(3, 70, 40), (1, 1500), (900, 1), (40, 3, 5)])
def test_whole_range_of_a_dtype_comes_back(dtype, shape):
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(5)
    assert_same(rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True))
    assert_same(np.where(rng.random(shape) < 0.5, limits.min, limits.max).astype(dtype))


@pytest.mark.parametrize("size", range(0, 63, 3))
def test_steps_of_every_size_come_back(size):
    rng = np.random.default_rng(size)
    assert_same(rng.integers(-(1 << size), 1 << size, (2, 20, 30)))
    assert_same(np.cumsum(rng.integers(-(1 << size), 1 << size, (20, 30)), axis=1))


def test_byte_order_and_strides_do_not_matter():
    counts = np.random.default_rng(0).poisson(4, (5, 40, 30)).astype("i4")
    assert encode_frames(counts.astype(">i4")) == encode_frames(counts)
    assert encode_frames(np.asfortranarray(counts)) == encode_frames(counts)
    before = counts.copy()
    assert_same(counts[:, ::-2, ::3])
    np.testing.assert_array_equal(counts, before)


@pytest.mark.parametrize("group", [None, 1, 2, 5, 40])
def test_every_frame_by_its_index(group):
    series = np.random.default_rng(1).poisson(image(5), (11, 64, 90)).astype("u2")
    data = assert_same(series, group=group)
    for index in (0, 1, 4, 5, 10, -1):
        np.testing.assert_array_equal(decode_frame(data, index), series[index])
    with pytest.raises(InputError, match="frame 11 of 11"):
        decode_frame(data, 11)


def test_unlike_frames_by_their_index():
    frames = np.random.default_rng(2).integers(0, 1000, (30, 1, 1)) + np.arange(64 * 64).reshape(64, 64) // 7
    data = assert_same(frames)
    for index in (0, 17, 29):
        np.testing.assert_array_equal(decode_frame(data, index), frames[index])


def test_bytes_do_not_depend_on_threads():
    series = np.random.default_rng(3).poisson(image(20, (300, 400)), (40, 300, 400)).astype("i4")
    data = encode_frames(series, jobs=1)
    assert encode_frames(series, jobs=3) == data
    np.testing.assert_array_equal(decode_frames(data, jobs=3), series)
    np.testing.assert_array_equal(decode_frame(data, 33, jobs=2), series[33])


@pytest.mark.parametrize("mark", [-1, -2, 65535, 1048575, 2**31 - 1, -(2**31), 4294967295])
def test_gaps_of_any_value_cost_next_to_nothing(mark):
    counts = np.random.default_rng(4).poisson(image(30, (200, 200))).astype("i8")
    whole = len(encode_frames(counts))
    gap = counts.copy()
    gap[90:107] = gap[:, 60:64] = mark
    gap[np.random.default_rng(0).integers(0, 200, 20), np.random.default_rng(1).integers(0, 200, 20)] = mark
    assert len(assert_same(gap)) < whole


def test_gaps_that_come_and_go_come_back():
    rng = np.random.default_rng(6)
    series = rng.poisson(image(30), (6, 64, 90)).astype("i4")
    series[:, :, 40:44] = -1
    series[rng.random(series.shape) < 0.001] = 2**20 - 1
    series[2, 5:9] = -2
    assert_same(series)
    assert_same(np.where(series < 2**20 - 1, -1, series))


def test_noise_about_zero_has_no_gaps():
    noise = np.random.default_rng(7).normal(0, 2, (3, 80, 90)).round().astype("i2")
    assert bits(noise) < 3.4


@pytest.mark.parametrize("value", [0, -5, 2**63 - 1])
def test_constant_frames_take_a_few_bytes(value):
    assert len(assert_same(np.full((20, 100, 100), value))) < 80


def test_empty_frames_with_single_counts_are_cheap():
    counts = (np.random.default_rng(8).random((4, 400, 400)) < 1e-3).astype("u4")
    assert bits(counts) < 0.016  # entropy .0114


@pytest.mark.parametrize(("mean", "excess"), [(1, 0.06), (7, 0.07), (41, 0.1)])
def test_series_of_one_sample_is_near_its_floor(mean, excess):
    expected = image(mean, (128, 160))
    series = np.random.default_rng(9).poisson(expected, (30, 128, 160))
    k = np.arange(30 * mean + 60)[:, None]
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(k[1:, 0]))])[:, None]
    floor = 0.0
    for row in expected:
        log_p = k * np.log(row) - row - log_factorial
        floor -= (np.exp(log_p) * log_p).sum() / np.log(2)
    assert bits(series) < floor / expected.size + excess


def test_smooth_curves_take_far_less_than_their_steps():
    x = np.linspace(0, 1, 400)
    curves = np.array([np.exp(-((x - c) ** 2) * 9) for c in np.linspace(0, 1, 50)])
    codes = np.rint(curves / 2e-4).astype(np.int64)
    assert bits(codes) < 2.2


def test_what_is_no_integer_is_refused():
    with pytest.raises(InputError, match="float32"):
        encode_frames(np.zeros((3, 4), np.float32))
    with pytest.raises(InputError, match="group=0"):
        encode_frames(np.zeros((3, 4, 5), int), group=0)


def damaged(data, rng):
    """One of several kinds of damage."""
    data = bytearray(data)
    kind = rng.integers(0, 4)
    if kind == 0:
        return bytes(data[: rng.integers(0, len(data))])
    for _ in range(rng.integers(1, 4)):
        place = rng.integers(0, len(data) if kind == 1 else min(150, len(data)))
        data[place] = rng.choice([0, 127, 128, 255]) if kind == 3 else data[place] ^ (1 << rng.integers(0, 8))
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_an_error_or_other_values_never_a_crash(seed):
    rng = np.random.default_rng(seed)
    series = rng.poisson(image(5), (4, 64, 90)).astype("i4")
    series[:, 20:24] = -1
    sources = [
        series,
        rng.integers(0, 2**63, (2, 20, 30)),
        rng.poisson(300, (150, 230)).astype("u2"),
        np.cumsum(np.cumsum(rng.integers(-1, 2, (20, 300)), 1), 1),
    ]
    data = encode_frames(sources[seed])
    errors = 0
    for _ in range(300):
        try:
            found = decode_frames(damaged(data, rng))
        except FormatError:
            errors += 1
        else:
            assert isinstance(found, np.ndarray)
    assert errors > 200


@pytest.mark.parametrize("length", [0, 1, 3, 10])
def test_cut_off_heads_are_errors(length):
    data = encode_frames(np.arange(600).reshape(20, 30))
    with pytest.raises(FormatError):
        decode_frames(data[:length])


def test_a_small_file_cannot_ask_for_a_giant_array():
    head = bytes([1, 5, 3]) + b"\xff\xff\xff\x7f" * 3
    with pytest.raises(FormatError):
        decode_frames(head + bytes(20))


def test_real_frames_come_back(shared_data):
    import invae

    frame = invae.read(shared_data / "sas2d" / "pilatus1m_tiff" / "agbeh2_1M.tif")[0].load().data
    assert bits(frame) < 7.0
