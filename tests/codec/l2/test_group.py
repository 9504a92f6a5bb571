from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from invae.codec import Archive, Bound, compress, decompress, default_model, write_archive
from invae.codec.bounds import live_values
from invae.codec.l2.group import _encode_on_grids, _encode_sparse, decode_l2_group, encode_l2_group
from invae.data.records import Curve, Frame, identical
from invae.errors import BoundError, FileError, FormatError, InputError, ModelError


def relative_error(decoded, original, mask=None):
    """Of what an l2 bound leaves free, which must be all that differs."""
    live = live_values(original, mask)
    assert decoded[~live].tobytes() == original[~live].tobytes()
    a, b = original[live].astype(float), decoded[live].astype(float)
    if original.dtype.kind == "f" and (a > 0).all():
        a, b = np.log10(a), np.log10(b)
    return np.linalg.norm(b - a) / np.linalg.norm(a - a.mean())


def curve(rng, n):
    q = np.geomspace(1e-3, 1, n)
    return 10 ** rng.uniform(0, 3) / (1 + (q * rng.uniform(20, 300)) ** 4) + 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [5, 100, 512, 513, 2000])
def test_curves_of_any_length_meet_the_bound(rng, dtype, n):
    original = curve(rng, n).astype(dtype)
    blob = compress(original, "l2:0.02")
    decoded = decompress(blob)
    assert decoded.dtype == dtype and decoded.shape == original.shape
    assert relative_error(decoded, original) <= 0.02
    assert len(blob) < 90 + 0.2 * n


@pytest.mark.parametrize("shape", [(40, 50), (16, 16), (3, 33, 20), (2, 2, 17, 4)])
def test_frames_and_stacks_meet_the_bound(rng, shape):
    rows, columns = np.ogrid[: shape[-2], : shape[-1]]
    original = 50 * np.exp(-((rows - 7.3) ** 2 + (columns - 9.1) ** 2) / 80) * np.ones(shape) - 0.5
    decoded = decompress(compress(original, "l2:0.02"))
    assert decoded.shape == shape and relative_error(decoded, original) <= 0.02


def test_counts_come_back_as_integers_within_the_bound(rng):
    original = rng.poisson(2000, (32, 32)).astype(np.int32)
    decoded = decompress(compress(original, "l2:0.5"))
    assert decoded.dtype == np.int32 and relative_error(decoded, original) <= 0.5


def test_records_keep_everything_but_the_values(rng):
    q = np.geomspace(1e-3, 1, 200)
    records = [
        Curve(q=q, intensity=curve(rng, 200), sigma=rng.random(200), name=f"run {i}", header="as it was")
        for i in range(3)
    ]
    frame = Frame(data=rng.normal(0, 1, (20, 20)), mask=np.eye(20, dtype=np.uint8), name="map")
    for data in (records, [*records, frame], frame):
        decoded = decompress(compress(data, "l2:0.05"))
        pairs = zip(data, decoded) if isinstance(data, list) else [(data, decoded)]
        for before, after in pairs:
            assert identical(before.replace(values=after.values), after)
            assert relative_error(after.values, before.values) <= 0.05


def test_mappings_and_lists_keep_names_and_order(rng):
    data = {"b": curve(rng, 60), "a": np.array([1.0, np.nan, 3.0, 4.0, 5.0]), "c": np.zeros((0, 3))}
    decoded = decompress(compress(data, "l2:0.1"))
    assert list(decoded) == ["b", "a", "c"] and decoded["c"].shape == (0, 3)
    assert relative_error(decoded["a"], data["a"]) <= 0.1 and relative_error(decoded["b"], data["b"]) <= 0.1


def test_curves_together_take_fewer_bytes_than_apart(rng):
    curves = [curve(rng, 128) for _ in range(30)]
    assert len(compress(curves, "l2:0.02")) < 0.6 * sum(len(compress(c, "l2:0.02")) for c in curves)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int16, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9),
    ),
    st.sampled_from([1e-5, 0.03, 0.5]),
)
def test_any_array_meets_the_bound_or_is_exact(array, tolerance):
    decoded = decompress(compress(array, f"l2:{tolerance}"))
    assert decoded.dtype == array.dtype and decoded.shape == array.shape
    if array.tobytes() != decoded.tobytes():
        assert relative_error(decoded, array) <= tolerance


@pytest.mark.parametrize("shape", [(4,), (5, 7)])
@pytest.mark.parametrize("value", [5.0, 0.1, -3.0])
def test_constants_are_exact(shape, value):
    array = np.full(shape, value)
    assert identical_bytes(array, decompress(compress(array, "l2:1e-5")))


def identical_bytes(a, b):
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def test_an_l2_bound_goes_through_compress_and_files(rng, tmp_path):
    curves = [curve(rng, 90) for _ in range(4)]
    blob = compress(curves, bound="l2:0.05")
    assert blob == compress(curves, Bound("l2", 0.05), jobs=2)
    decoded = decompress(write_archive(tmp_path / "a.inva", curves, "l2:0.05"))
    assert all(relative_error(b, a) <= 0.05 for a, b in zip(curves, decoded))
    with pytest.raises(BoundError, match="not a number"):
        compress(curves, bound="l2:small")
    with pytest.raises(BoundError, match="do not apply"):
        compress(curves[0], bound="l2:0.1", mask=np.zeros(90))
    with pytest.raises(FileError):
        decompress(tmp_path / "none.inva")


def test_archives_in_the_l2_mode_are_read_record_by_record_and_verified(rng, tmp_path):
    q = np.geomspace(1e-3, 1, 200)
    curves = [Curve(q=q, intensity=curve(rng, 200), name=f"run {i}") for i in range(5)]
    path = write_archive(tmp_path / "a.inva", curves, "l2:0.02")
    with Archive(path) as archive:
        assert archive.names() == [f"run {i}" for i in range(5)]
        info = archive.verify()
        assert info["bound"] == "l2:0.02" and 0.5 < info["max_error_in_bounds"] <= 1
        one = archive["run 3"]
    assert identical(curves[3].replace(values=one.values), one)
    assert 0 < relative_error(one.values, curves[3].values) <= 0.02
    ratio = Bound.parse("l2:0.02").ratio(curves[3].values, one.values)
    np.testing.assert_allclose(ratio, relative_error(one.values, curves[3].values) / 0.02)


def test_the_check_of_an_l2_bound_sees_what_is_beyond_it(rng):
    bound, before = Bound.parse("l2:0.1"), rng.normal(0, 1, 50)
    assert bound.check(before, before + 0.05).all()
    assert not bound.check(before, before + 0.2).any()
    assert bound.check(before, before).all()
    broken = before.copy()
    broken[7] = np.nan
    assert not bound.check(before, broken).all()
    assert not bound.check(np.ones(5), np.full(5, 1.001)).any()


def test_large_stacks_are_coded_block_by_block(rng, monkeypatch):
    monkeypatch.setattr("invae.codec.api.BLOCK_VALUES", 1000)
    stack = rng.normal(0, 1, (7, 32, 32)).cumsum(axis=1).astype(np.float32)
    blob = compress(stack, "l2:0.3")
    with Archive(blob) as archive:
        assert archive.info["groups"] > 1
    back = decompress(blob)
    assert back.shape == stack.shape and back.dtype == np.float32
    assert relative_error(back, stack) <= 0.3


def test_damage_is_an_error(rng):
    blob = compress([curve(rng, 90), rng.normal(0, 1, (20, 20))], "l2:0.05")
    for _ in range(80):
        broken = bytearray(blob)
        broken[rng.integers(len(blob))] ^= 1 << int(rng.integers(8))
        with pytest.raises(FormatError):
            decompress(bytes(broken))
        with pytest.raises(FormatError):
            decompress(blob[: rng.integers(len(blob))])


def test_wrong_arguments_are_named():
    with pytest.raises(BoundError, match="below 1"):
        compress(np.ones(9), "l2:1.5")
    with pytest.raises(InputError, match="complex"):
        compress(np.ones(9, complex), "l2:0.1")


def both_ways(items, bound):
    return _encode_sparse(items, bound), _encode_on_grids(items, bound, default_model())


@pytest.mark.parametrize("tolerance", [0.005, 0.05, 0.3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
def test_both_ways_meet_the_bound_and_the_shorter_is_taken(rng, tolerance, dtype):
    bound = Bound("l2", tolerance)
    scale = 1000 if dtype is np.int32 else 1
    items = [(scale * (5 + curve(rng, n))).astype(dtype) for n in (40, 40, 700)]
    items += [(scale * (3 + np.outer(curve(rng, 20), curve(rng, 30)))).astype(dtype) for _ in range(2)]
    items += [np.full(9, 4, dtype), items[0] * 0]
    ways = both_ways(items, bound)
    for data, worst in ways:
        assert worst <= 1
        back = decode_l2_group(data, 0, len(items), default_model())
        assert all(bound.max_ratio(a, b) <= 1 for a, b in zip(items, back))
        assert all(a.dtype == b.dtype and a.shape == b.shape for a, b in zip(items, back))
    assert encode_l2_group(items, bound, default_model())[0] == min((data for data, _ in ways), key=len)


def test_grids_win_on_smooth_curves_and_codes_on_sparse_patterns(rng):
    smooth = [curve(rng, 300) for _ in range(6)]
    grid, codes = (len(way[0]) for way in both_ways(smooth, Bound("l2", 0.005))[::-1])
    assert grid < codes
    q = np.linspace(0, 1, 256)
    waves = [sum(rng.normal() * np.cos(np.pi * k * q) for k in rng.integers(1, 120, 3)) for _ in range(6)]
    grid, codes = (len(way[0]) for way in both_ways(waves, Bound("l2", 0.05))[::-1])
    assert codes < grid


def test_damaged_grids_end(rng):
    items = [curve(rng, 80), curve(rng, 80), rng.normal(0, 1, (12, 20)).cumsum(axis=1)]
    data, _ = _encode_on_grids(items, Bound("l2", 0.05), default_model())
    for k in range(len(data)):
        damaged = bytearray(data)
        damaged[k] ^= 0x35
        try:
            decode_l2_group(bytes(damaged), 0, 3, default_model())
        except (FormatError, ModelError):
            continue


@pytest.mark.parametrize("dtype", [np.uint32, np.uint16, np.int32, np.float32])
def test_gaps_and_masked_points_are_exact_and_the_rest_keeps_the_bound_of_the_rest(rng, dtype):
    data = rng.poisson(20, (60, 50)).astype(dtype)
    mark = np.nan if dtype is np.float32 else -1 if dtype is np.int32 else np.iinfo(dtype).max
    data[20:24], data[:, 30] = mark, mark
    mask = np.zeros((60, 50), np.uint8)
    mask[40:44, 10:20], mask[0, 0] = 1, 1
    data[40:44, 10:20], data[0, 0] = 7000, 0
    for way in (_encode_sparse, lambda items, bound: _encode_on_grids(items, bound, default_model())):
        coded, worst = way([Frame(data=data, mask=mask)], Bound("l2", 0.15))
        (back,) = decode_l2_group(coded, 0, 1, default_model())
        np.testing.assert_allclose(relative_error(back.data, data, mask) / 0.15, worst)
        assert 0 < worst <= 1
    back = decompress(compress(data, "l2:0.15"))
    assert relative_error(back, data) <= 0.15 and np.count_nonzero(back != data) > 1000


def test_the_check_of_an_l2_bound_wants_masked_points_and_sentinels_exact(rng):
    bound, before = Bound("l2", 0.5), rng.poisson(50, 40).astype(np.uint32)
    before[7] = 2**32 - 1
    mask = np.arange(40) == 3
    for place, own_mask in ((7, None), (3, mask)):
        after = before.copy()
        after[place] -= 1
        assert np.isinf(bound.ratio(before, after, mask=own_mask)[place])
    assert bound.check(before, before + (np.arange(40) % 7 == 2), mask=mask).all()


def test_what_an_l2_bound_allows_of_positive_floats_is_a_part_of_the_spread_of_their_logarithms():
    values, x = np.geomspace(1e-3, 1e3, 100), 0.02
    off = 10 ** (np.log10(values) + 0.9 * x * np.std(np.log10(values)))
    assert Bound("l2", x).check(values, off).all()
    assert (off / values - 1).min() > 3 * x / 2
