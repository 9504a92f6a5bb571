import importlib.util

import numpy as np
import pytest

from invae.errors import BoundError, InputError
from invae.evaluation.rates import Codec, bits_per_value, measure, ratio, real_bytes
from invae.evaluation.rivals import codecs

needs_imagecodecs = pytest.mark.skipif(
    not importlib.util.find_spec("imagecodecs"), reason="imagecodecs is absent"
)
LOSSY = ("SZ3", "ZFP", "SPERR", "grid + best lossless")
LOSSLESS = ("zstd-19", "bitshuffle-lz4", "bitshuffle-zstd", "pcodec", "JPEG XL")


def get(name: str) -> Codec:
    found = codecs()
    if name not in found:
        pytest.skip(f"{name} is not installed")
    return found[name]


@pytest.mark.parametrize("name", LOSSY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bound", [1e-1, 1e-3])
def test_lossy_codecs_keep_the_bound(name, dtype, bound, rng):
    x = np.cumsum(rng.normal(size=(40, 64)), axis=1).astype(dtype)
    done = measure(get(name), x, bound)
    assert done.decoded.dtype == dtype and done.decoded.shape == x.shape
    assert np.abs(done.decoded.astype(np.float64) - x).max() <= bound
    assert done.max_error <= 1
    assert done.max_error > 0 or bound < 1e-1
    assert done.n_bytes < x.nbytes


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32])
def test_lossless_codecs_are_exact_on_frames_with_sentinels(name, dtype, rng):
    x = rng.poisson(3, size=(2, 24, 31)).astype(dtype)
    x[:, 3] = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else -2
    x[0, 0, 0] = 40_000
    codec = get(name)
    blob = codec.encode(x)
    decoded = codec.decode(blob, x.shape, x.dtype)
    np.testing.assert_array_equal(decoded, x)
    assert decoded.dtype == x.dtype


@needs_imagecodecs
def test_jpeg_xl_takes_counts_above_16_bits():
    x = np.array([[0, 70_000], [2**31 - 1, -5]], np.int32)
    codec = get("JPEG XL")
    np.testing.assert_array_equal(codec.decode(codec.encode(x), x.shape, x.dtype), x)
    np.testing.assert_array_equal(codec.decode(codec.encode(x * 0), x.shape, x.dtype), x * 0)


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_codecs_refuse_what_they_would_spoil(name):
    with pytest.raises(InputError, match="cannot code"):
        get(name).encode(np.full((9, 9), np.nan), 0.1)


def test_a_codec_that_breaks_its_bound_is_shrunk_until_it_keeps_it():
    class Sloppy(Codec):
        name = "sloppy"

        def supports(self, array, abs_bound=None):
            return True

        def _encode(self, array, tolerance):
            return (array + 1.01 * tolerance).tobytes()

        def _decode(self, blob, shape, dtype):
            return np.frombuffer(blob, dtype)

    done = measure(Sloppy(), np.zeros((3, 3)), 1.0)
    assert done.attempts > 1 and done.max_error <= 1


def test_a_hostile_codec_is_an_error():
    class Zero(Codec):
        name = "zero"

        def supports(self, array, abs_bound=None):
            return True

        def _encode(self, array, tolerance):
            return b""

        def _decode(self, blob, shape, dtype):
            return np.zeros(shape, dtype)

    for bound in (0.5, None):
        with pytest.raises(BoundError, match="zero does not keep"):
            Zero().encode(np.ones((2, 2)), bound)
    with pytest.raises(BoundError, match="positive"):
        Zero().encode(np.ones((2, 2)), 0.0)


def test_trivial_grid_takes_single_curves_and_single_values():
    codec = codecs()["grid + best lossless"]
    for x in (np.linspace(-5, 5, 300), np.array([3.25]), np.zeros((4, 1))):
        assert measure(codec, x, 1e-3).max_error <= 1


def test_rates(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert real_bytes(path) == real_bytes(b"12345") == 5
    assert ratio(100, 5) == 20
    assert bits_per_value(5, 10) == 4
