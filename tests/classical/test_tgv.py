from __future__ import annotations

import numpy as np
import pylops
import pytest

from invae.classical import TotalGeneralisedVariation, TotalVariation
from invae.classical.tgv import _curvature_dual_step, _slope_dual_step, _transposed
from invae.errors import InputError
from invae.operators.radon import Radon

# Few iterations are allowed on purpose; that predict says so has its own test.
pytestmark = pytest.mark.filterwarnings("ignore:.*see converged_:invae.errors.InvaeWarning")


def test_the_transposed_map_is_the_adjoint():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((1, 5, 6)), rng.standard_normal((1, 2, 5, 6))
    P, R = rng.standard_normal((1, 2, 5, 6)), rng.standard_normal((1, 3, 5, 6))
    one, free = np.ones(1), np.full(1, np.inf)
    Kp, Kr = np.zeros_like(P), np.zeros_like(R)
    _slope_dual_step(Kp, x, w, one, free)
    _curvature_dual_step(Kr, w, one, free)
    gx, gw = np.zeros_like(x), np.zeros_like(w)
    _transposed(P, R, gx, gw)
    # The off-diagonal entry stands for two.
    left = np.sum(Kp * P) + np.sum(Kr * R * np.array([1.0, 1.0, 2.0])[:, None, None])
    assert left == pytest.approx(np.sum(x * gx) + np.sum(w * gw), rel=1e-12)


def test_a_ramp_passes_unchanged_where_total_variation_bends_it():
    ramp = np.linspace(0.2, 2.0, 40)[None]
    options = {"parameter": 0.3, "max_iter": 5000, "tol": 1e-7}
    kept = TotalGeneralisedVariation(pylops.Identity(40), **options).fit().predict(ramp)
    bent = TotalVariation(pylops.Identity(40), **options).fit().predict(ramp)
    # Only the last cell, whose forward difference is zero, feels anything.
    np.testing.assert_allclose(kept[:, :-8], ramp[:, :-8], atol=0.01)
    assert np.abs(bent - ramp)[:, :3].max() > 0.1


def test_an_affine_image_passes_unchanged():
    r, c = np.mgrid[:16, :16] / 16
    image = (1 + r + 0.5 * c)[None]
    F = pylops.Diagonal(np.ones((16, 16)))
    options = {"parameter": 0.1, "max_iter": 3000, "tol": 1e-7}
    kept = TotalGeneralisedVariation(F, **options).fit().predict(image)
    bent = TotalVariation(F, **options).fit().predict(image)
    assert np.linalg.norm(kept - image) < 0.4 * np.linalg.norm(bent - image)


@pytest.fixture(scope="module")
def ramps():
    """Discs with slanted tops, from 20 views."""
    F = Radon((24, 24), 20)
    r, c = np.mgrid[:24, :24] - 11.5
    inside = r**2 + c**2 < 100
    X = np.stack([(1 + 0.06 * r) * inside, (1.2 - 0.05 * c + 0.02 * r) * inside]).reshape(2, -1)
    clean = F.apply(X)
    std = 0.02 * np.sqrt((clean**2).mean())
    return F, X, clean + std * np.random.default_rng(0).standard_normal(clean.shape), std


def test_the_misfit_is_what_the_rule_asks_and_slanted_discs_come_out_better(ramps):
    F, X, Y, std = ramps
    options = {"noise": std, "max_iter": 2000, "tol": 1e-5}
    second = TotalGeneralisedVariation(F, **options).fit().predict(Y)
    first = TotalVariation(F, **options).fit().predict(Y)
    residual = np.linalg.norm(F.apply(second) - Y, axis=1)
    np.testing.assert_allclose(residual, std * np.sqrt(F.shape[0]), rtol=0.02)
    assert np.linalg.norm(second - X) < 0.85 * np.linalg.norm(first - X)


def test_a_batch_equals_one_by_one_and_float32_stays(ramps):
    F, _, Y, _ = ramps
    method = TotalGeneralisedVariation(F, parameter=0.3, max_iter=100).fit()
    batch = method.predict(Y)
    single = np.concatenate([method.predict(y[None]) for y in Y])
    np.testing.assert_allclose(batch, single, atol=1e-10)
    narrow = method.predict(Y.astype(np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, batch, atol=1e-3)


def test_a_huge_price_of_kinks_leaves_an_affine_signal():
    y = np.random.default_rng(0).uniform(size=(1, 30))
    options = {"parameter": 20.0, "beta": 1e3, "nonnegative": False, "max_iter": 20000, "tol": 1e-8}
    x = TotalGeneralisedVariation(pylops.Identity(30), **options).fit().predict(y)
    assert np.abs(np.diff(x[0], 2)[:-1]).max() < 0.01


def test_the_price_is_checked():
    with pytest.raises(InputError, match="beta=0"):
        TotalGeneralisedVariation(pylops.Identity(8), beta=0).fit()
