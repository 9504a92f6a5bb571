"""Whatever goes in comes out within its bound: any shape, dtype and value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from invae.codec import Bound, api, compress, decompress
from invae.codec.bounds import same_bits
from invae.codec.coding.transforms import exp10
from invae.codec.sigma.counts import cells
from invae.data.records import Frame
from invae.errors import BoundError, InputError

DTYPES = ["?", "i1", "u1", "<i2", ">u2", "i4", "u4", ">i4", "i8", "u8", "f2", "f4", ">f4", "f8", ">f8"]
BOUNDS = ["lossless", "abs:1e-3", "abs:3", "rel:1e-2", "log:1e-2", "log:1e-12", "0.25sigma", "2sigma"]
SHAPES = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)
ANY = st.sampled_from(DTYPES).flatmap(lambda dtype: arrays(np.dtype(dtype), SHAPES))
MANY = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(ANY)
def test_lossless_keeps_every_bit(array):
    copy = array.copy()
    back = decompress(compress(array))
    assert back.dtype == array.dtype and back.shape == array.shape and back.tobytes() == array.tobytes()
    assert array.tobytes() == copy.tobytes()


@pytest.mark.parametrize("text", BOUNDS[1:])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(array=ANY, data=st.data())
def test_the_bound_holds_on_every_value(text, array, data):
    bound, sigma = Bound.parse(text), None
    if bound.kind == "sigma" and array.dtype.kind not in "iu":
        sigma = data.draw(arrays(np.float64, array.shape))
    mask = data.draw(st.none() | arrays(np.bool_, array.shape))
    back = decompress(compress(array, bound, sigma=sigma, mask=mask))
    assert back.dtype == array.dtype and back.shape == array.shape
    assert bound.check(array, back, sigma, mask).all()


def planted(rng, dtype):
    """Wide-ranged values with every kind of trap in them."""
    info = np.finfo(dtype)
    with np.errstate(over="ignore"):
        x = (np.exp(rng.normal(0, 8, 3000)) * rng.choice([-1, 1], 3000)).astype(dtype)
    x[:10] = [
        np.nan,
        np.inf,
        -np.inf,
        0.0,
        -0.0,
        info.tiny,
        info.smallest_subnormal,
        info.max,
        info.min,
        info.eps,
    ]
    return rng.permutation(x)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "text",
    [
        "abs:1e-4",
        "abs:1e-320",
        "abs:1e300",
        "abs:1.7e308",
        "log:1.7e308",
        "rel:1e-6",
        "rel:0.9",
        "log:1e-3",
        "0.5sigma",
    ],
)
def test_traps_of_floats(rng, dtype, text):
    bound, x = Bound.parse(text), planted(rng, dtype)
    sigma = np.exp(rng.normal(0, 10, x.size)) * rng.choice(
        [0, -1, np.nan, 1], x.size, p=[0.01, 0.01, 0.01, 0.97]
    )
    back = decompress(compress(x, bound, sigma=sigma))
    assert bound.check(x, back, sigma).all()
    assert same_bits(x, back)[~np.isfinite(x)].all()


def test_nan_payloads_survive(rng):
    bits = rng.integers(0x7FF0000000000001, 0x7FFFFFFFFFFFFFFF, 50, dtype=np.uint64)
    x = np.concatenate([bits.view(np.float64), np.linspace(0, 1, 100)])
    for bound in BOUNDS[:5]:
        assert decompress(compress(x, bound))[:50].tobytes() == x[:50].tobytes()


def test_sentinels_of_detectors_survive_every_bound(rng):
    counts = rng.poisson(30, (40, 50)).astype(np.int32)
    counts[:5], counts[7, 3] = -1, -2
    unsigned = rng.poisson(300, (40, 50)).astype(np.uint32)
    unsigned[4] = 2**32 - 1
    for bound in ("abs:5", "rel:0.2", "log:0.2", "1sigma"):
        back = decompress(compress(counts, bound))
        assert np.array_equal(back < 0, counts < 0) and np.array_equal(back[counts < 0], counts[counts < 0])
        back = decompress(compress(unsigned, bound))
        assert np.array_equal(back == 2**32 - 1, unsigned == 2**32 - 1)


def test_noise_is_never_larger_than_raw_plus_a_small_head(rng):
    for dtype in ("f8", "f4", "i8", "u2"):
        noise = np.frombuffer(rng.bytes(8000), dtype=dtype)
        for bound in BOUNDS[:6]:
            assert len(compress(noise, bound)) <= noise.nbytes + 64


def test_containers_come_back_as_they_went_in():
    a, b = np.arange(3), np.zeros((2, 0), np.float32)
    assert isinstance(decompress(compress(a)), np.ndarray)
    assert [x.shape for x in decompress(compress([a, b, a]))] == [(3,), (2, 0), (3,)]
    assert list(decompress(compress({"x": a, "y": b}))) == ["x", "y"]
    assert decompress(compress([])) == [] and decompress(compress({})) == {}
    assert decompress(compress(2.5)) == 2.5


def test_bytes_do_not_depend_on_the_number_of_threads(rng):
    curves = [np.cumsum(rng.normal(size=70000)) for _ in range(2)]
    assert compress(curves, "abs:1e-3", jobs=1) == compress(curves, "abs:1e-3", jobs=3)


def test_like_curves_are_cheaper_together(rng):
    base = np.cumsum(rng.normal(size=500))
    series = [base + 0.01 * k for k in range(20)]
    assert len(compress(series, "abs:1e-3")) < 0.6 * sum(len(compress(c, "abs:1e-3")) for c in series)


def test_what_is_no_array_of_real_numbers_is_refused():
    for wrong in (np.array([1j]), np.array(["a"]), np.array([None]), np.array("2020", "M8[D]")):
        with pytest.raises(InputError):
            compress(wrong)
    with pytest.raises(InputError, match="must agree"):
        compress(np.zeros(3), "1sigma", sigma=np.zeros(4))
    with pytest.raises(BoundError, match="give sigma"):
        compress(np.zeros(3), "1sigma")
    with pytest.raises(InputError, match="carry their own"):
        from invae.data.records import Curve

        compress(Curve(q=np.zeros(2), intensity=np.zeros(2)), "abs:1", sigma=np.zeros(2))


def test_exp10_is_close_to_the_power_and_exact_in_its_bits():
    y = np.linspace(-320, 308, 20001)
    assert np.abs(exp10(y[200:]) / 10.0 ** y[200:] - 1).max() < 1e-12
    # the same bits on every machine: frozen values
    frozen = ["0x1.f9e4fd326ee89p-4", "0x1.921fb51a68bf1p+1"]
    assert [float(v).hex() for v in exp10(np.array([-0.9083, 0.49714987]))] == frozen


@pytest.mark.parametrize("k", [0.1, 0.25, 0.5, 1.0, 3.0])
def test_cells_of_counts_cover_every_count_within_the_bound(k):
    table = cells(k, 20000)
    first, representative = table.T
    assert first[0] == 0 and np.all(np.diff(first) >= 1)
    n = np.arange(20001)
    back = representative[np.searchsorted(first, n, side="right") - 1]
    assert np.all(np.abs(back - n) <= k * np.sqrt(np.maximum(n, 1)) + 1e-9)


@pytest.mark.slow
def test_ten_million_random_values_never_break_their_bound():
    rng = np.random.default_rng(1)
    total = 0
    while total < 10_000_000:
        x = np.cumsum(rng.normal(size=200_000)) * np.exp(rng.normal(0, 10))
        x = x.astype(rng.choice(["f4", "f8"]))
        bound = Bound(str(rng.choice(["abs", "log", "rel"])), float(np.exp(rng.uniform(-12, -0.5))))
        assert bound.check(x, decompress(compress(x, bound))).all()
        total += x.size


def test_large_stacks_are_read_and_coded_in_blocks(rng, tmp_path, monkeypatch):
    import h5py

    monkeypatch.setattr(api, "BLOCK_VALUES", 2000)

    stack = np.cumsum(rng.normal(size=(90, 130)), axis=1).astype(np.float32)
    blob = compress(stack, "abs:1", jobs=2)
    assert np.abs(decompress(blob) - stack).max() <= 1
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        assert compress(file.create_dataset("data", data=stack), "abs:1") == blob
        small = file.create_dataset("small", data=stack[:2])
        assert np.array_equal(decompress(compress(small)), stack[:2])


@pytest.mark.parametrize(
    ("data", "sigma"),
    [
        ([np.zeros(5)], 0.5),
        ({"a": np.zeros(5)}, np.ones(5)),
        ({"a": np.zeros(5)}, {"b": np.ones(5)}),
        (np.zeros((700, 60)), 0.5),
        (np.zeros((700, 60)), [0.5]),
        ([np.zeros(3), [1, 2]], None),
    ],
)
def test_data_or_deviations_that_do_not_match_are_said_to(monkeypatch, data, sigma):
    monkeypatch.setattr(api, "BLOCK_VALUES", 1 << 13)
    with pytest.raises(InputError, match=r"match|agree|does not convert"):
        compress(data, "1sigma", sigma=sigma)


@pytest.mark.parametrize("bound", ["abs:20", "rel:0.3", "2sigma"])
def test_marks_of_one_array_stay_exact_beside_an_array_with_other_marks(rng, bound):
    frames = rng.poisson(150, (3, 30, 40)).astype(np.int32)
    for k, frame in enumerate(frames):
        frame[4], frame[11] = -1 - 10 * k, -2 - 10 * k
    for data in (list(frames), [Frame(data=frame, mask=frame == 140) for frame in frames]):
        for before, after in zip(frames, decompress(compress(data, bound))):
            after = after.data if isinstance(after, Frame) else after
            assert np.array_equal(after[before < 0], before[before < 0])
            assert not np.array_equal(after, before)
