import numpy as np
import pytest

from invae.codec.bounds import Bound
from invae.errors import BoundError, InputError
from invae.evaluation.domains import domain_for
from invae.evaluation.rivals import codecs

GRID = codecs()["grid + best lossless"]


def awkward(rng, dtype):
    x = np.exp(rng.normal(size=(12, 30))).astype(dtype)
    x[0, :3] = [np.nan, np.inf, -np.inf]
    x[1, :2] = [-1.5, 0.0]
    return x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bound", ["abs:1e-2", "rel:0.01", "log:0.01", "0.5sigma"])
def test_bound_holds_in_the_data_units_and_special_values_stay(bound, dtype, rng):
    x = awkward(rng, dtype)
    sigma = 0.1 * np.abs(rng.normal(size=x.shape)) if bound.endswith("sigma") else None
    if sigma is not None:
        sigma[2, 2] = 0
    domain = domain_for(x, bound, sigma)
    done = domain.measure(GRID)
    y = done.decoded
    assert y.dtype == dtype
    np.testing.assert_array_equal(y[0, :3], x[0, :3])
    assert domain.side_bytes > 0
    good = np.isfinite(x) & (x > 0)
    a, b = x[good].astype(float), y[good].astype(float)
    kind, value = Bound.parse(bound).kind, Bound.parse(bound).value
    allowed = {"abs": value, "rel": value * a, "log": np.inf}.get(kind)
    if allowed is None:
        allowed = value * sigma[good]
    assert np.all(np.abs(a - b) <= allowed)
    if kind == "log":
        assert np.abs(np.log10(a) - np.log10(b)).max() <= value + 1e-12


def test_counts_are_bounded_by_poisson_sigma_and_stay_integers(rng):
    counts = rng.poisson(30, size=(40, 40)).astype(np.int32)
    counts[3] = -1
    domain = domain_for(counts, "0.5sigma")
    y = domain.measure(GRID).decoded
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y[3], -1)
    good = counts >= 0
    assert np.all(np.abs(y - counts)[good] <= 0.5 * np.sqrt(np.maximum(counts[good], 1)))
    assert (y != counts).any()


def test_masked_values_are_exact(rng):
    x = rng.normal(size=(20, 20))
    mask = rng.random(x.shape) < 0.2
    y = domain_for(x, 0.5, mask=mask).measure(GRID).decoded
    np.testing.assert_array_equal(y[mask], x[mask])
    assert np.abs(y - x).max() <= 0.5


def test_nothing_but_special_values():
    x = np.full((3, 3), np.nan)
    y = domain_for(x, "log:0.1").measure(GRID).decoded
    np.testing.assert_array_equal(y, x)


def test_lossless_passes_the_array_on():
    x = np.arange(12, dtype=np.uint16).reshape(3, 4)
    domain = domain_for(x, "lossless")
    assert domain.tolerance is None
    np.testing.assert_array_equal(domain.measure(codecs()["zstd-19"]).decoded, x)


def test_sigma_bounds_on_floats_need_sigma(rng):
    with pytest.raises(BoundError, match="pass sigma"):
        domain_for(rng.normal(size=5), "0.5sigma")
    with pytest.raises(BoundError, match="not understood"):
        domain_for(rng.normal(size=5), "tight")


def test_complex_numbers_are_refused():
    with pytest.raises(InputError, match="real"):
        domain_for(np.zeros(3, complex), 1.0)
