"""Default rules come near the best choice, and say when they do not."""

from __future__ import annotations

import warnings

import numpy as np
import pylops
import pytest

from invae.classical import Cgls, Landweber, RichardsonLucy, Sirt, Tikhonov, TruncatedSvd, Wiener
from invae.classical.noise import estimate_noise, noise_std
from invae.classical.parameters import l_curve
from invae.errors import InputError, InvaeWarning
from invae.operators import Blur, Heat, PoissonNoise, Radon

SIZE = 32


@pytest.fixture(scope="module")
def images():
    """Piecewise smooth images, (3, SIZE, SIZE)."""
    rng = np.random.default_rng(8)
    r, c = np.mgrid[:SIZE, :SIZE] / SIZE
    out = []
    for _ in range(3):
        image = 0.3 + 0.2 * np.sin(6 * r + rng.uniform(0, 6)) * np.cos(5 * c)
        for _ in range(5):
            a, b, h, w = rng.uniform(0.1, 0.6, 4)
            image += rng.uniform(0.1, 0.6) * ((abs(r - a) < h / 3) & (abs(c - b) < w / 3))
        out.append(image)
    return np.stack(out)


def error(estimate, truth):
    return np.mean(
        np.linalg.norm((estimate - truth).reshape(3, -1), axis=1) / np.linalg.norm(truth, axis=(1, 2))
    )


def measured(F, images, level, seed=0):
    clean = F.apply(images)
    rms = np.sqrt(np.mean(clean**2, axis=(1, 2), keepdims=True))
    return clean + level * rms * np.random.default_rng(seed).standard_normal(clean.shape)


MILD = {
    "identity": Blur((SIZE, SIZE), kernel=np.array([[1.0]])),
    "blur .4": Blur((SIZE, SIZE), sigma=0.4),
    "blur .5": Blur((SIZE, SIZE), sigma=0.5),
    "heat .15": Heat((SIZE, SIZE), time=0.15),
}


@pytest.mark.parametrize("F", MILD.values(), ids=MILD.keys())
@pytest.mark.parametrize("level", [0.01, 0.05])
@pytest.mark.parametrize("method", [Tikhonov, TruncatedSvd, Sirt, Landweber, Wiener])
def test_a_mild_operator_does_not_cost_the_picture(images, F, level, method):
    Y = measured(F, images, level)
    best = Tikhonov if method is Wiener else method
    oracle = error(best(F, parameter="oracle").fit().predict(Y, images), images)
    assert error(method(F).fit().predict(Y), images) < 1.5 * oracle


@pytest.mark.parametrize("rule", ["gcv", "robust_gcv"])
def test_cgls_counts_the_freedom_that_its_iterates_have(images, rule):
    for F in (Blur((SIZE, SIZE), sigma=1.2), Radon(SIZE, 30), Heat((SIZE, SIZE), time=2.0)):
        Y = measured(F, images, 0.03)
        method = Cgls(F, parameter=rule).fit()
        oracle = error(Cgls(F, parameter="oracle").fit().predict(Y, images), images)
        assert error(method.predict(Y), images) < 1.3 * oracle and method.parameters_.max() < 40


@pytest.mark.parametrize("counts", [5, 40, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_of_counts_is_not_that_of_the_dark_parts(images, counts, dtype):
    clean = Blur((SIZE, SIZE), sigma=1.0).apply(images**3)  # dark and bright
    scale = counts / clean.mean()
    Y = PoissonNoise(scale).sample(clean, rng=0).astype(dtype)
    true = np.sqrt(np.mean((Y - clean) ** 2, axis=(1, 2)))
    rows = Y.reshape(3, -1)
    told = noise_std(PoissonNoise(scale), rows, (SIZE, SIZE))
    np.testing.assert_allclose(told, true, rtol=0.15)
    np.testing.assert_allclose(estimate_noise(rows, (SIZE, SIZE)), told, rtol=0.15)


def test_whole_numbers_with_other_noise_are_no_counts(images):
    Y = np.round(2000 + 50 * images + 3 * np.random.default_rng(0).standard_normal(images.shape))
    np.testing.assert_allclose(estimate_noise(Y.reshape(3, -1), (SIZE, SIZE)), 3, rtol=0.25)


@pytest.mark.parametrize("method", [RichardsonLucy, Cgls, Sirt, Landweber])
def test_every_method_takes_counting_noise(images, method):
    F, noise = Blur((SIZE, SIZE), sigma=1.2), PoissonNoise(40.0)
    Y = noise.sample(F.apply(images), rng=1)
    oracle = error(method(F, parameter="oracle").fit().predict(Y, images), images)
    for given in (noise, None):
        assert error(method(F, noise=given).fit().predict(Y), images) < 1.3 * oracle


def test_noise_may_be_told_entry_by_entry_or_as_a_covariance():
    Y = np.zeros((2, 6))
    std = np.array([1.0, 2, 3, 4, 5, 6])
    rms = np.sqrt(np.mean(std**2))
    np.testing.assert_allclose(noise_std(std, Y, (2, 3)), rms)
    np.testing.assert_allclose(noise_std(std.reshape(2, 3), Y, (2, 3)), rms)
    np.testing.assert_allclose(noise_std(np.diag(std**2), Y, (2, 3)), rms)
    np.testing.assert_allclose(noise_std(np.array(0.5), Y, (2, 3)), 0.5)
    with pytest.raises(InputError, match=r"shape \(4,\)"):
        noise_std(np.ones(4), Y, (2, 3))


def test_a_wiener_filter_does_not_know_the_units(images):
    F = Blur((SIZE, SIZE), sigma=1.2)
    Y = measured(F, images, 0.02)
    for rule in ("noise", "gcv"):
        small, large = (Wiener(F, parameter=rule).fit().predict(c * Y) / c for c in (1e-4, 300.0))
        np.testing.assert_allclose(small, large, rtol=1e-5, atol=1e-7)
    oracle = error(Tikhonov(F, parameter="oracle").fit().predict(Y, images), images)
    assert error(Wiener(F).fit().predict(Y), images) < 1.1 * oracle


def test_cgls_stays_where_it_has_converged():
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (30, 20))
    s = np.concatenate([np.ones(8), np.full(4, 0.5), np.full(8, 1e-19)])
    A = (U[:, :20] * s) @ V.T
    Y = rng.standard_normal((4, 30))
    wanted = Y @ np.linalg.pinv(A, rcond=1e-6).T
    for k in (3, 20, 400):
        X = Cgls(pylops.MatrixMult(A), parameter=k).fit().predict(Y)
        np.testing.assert_allclose(X, wanted, atol=1e-5)


def test_a_corner_made_of_noise_is_no_corner(images):
    for F in (Blur((SIZE, SIZE), sigma=2.0), Heat((SIZE, SIZE), time=3.0), Radon(SIZE, 12)):
        Y = measured(F, images, 0.02)
        oracle = error(Tikhonov(F, parameter="oracle").fit().predict(Y, images), images)
        assert error(Tikhonov(F, parameter="l_curve").fit().predict(Y), images) < 1.5 * oracle
    with pytest.raises(InputError, match="5 points"):
        l_curve(np.ones((3, 1)), np.ones((3, 1)), np.ones((3, 1), bool))


def test_noise_that_no_estimate_sees_is_told_in_one_warning(images):
    F = Radon(SIZE, 30)
    clean = F.apply(images)
    gain = np.random.default_rng(0).standard_normal((3, 30, 1))  # the same along the detector
    Y = clean + 0.05 * np.sqrt(np.mean(clean**2)) * gain
    for method in (Cgls(F, max_iter=60), Landweber(F, max_iter=60), Sirt(F, max_iter=60)):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            method.fit().predict(Y)
        assert [w.category for w in told] == [InvaeWarning] and not method.converged_.any()
    with pytest.warns(InvaeWarning, match="use all 5 iterations"):
        method = Sirt(F, parameter="gcv", max_iter=5).fit()
        method.predict(clean)
    assert method.converged_.shape == (3,)


def test_a_kernel_that_sharpens_is_borne_or_refused():
    F = Blur((16, 16), kernel=np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0.0]]))
    X = np.random.default_rng(0).random((2, 16, 16))
    estimate = Sirt(F, parameter=2000, bounds=(None, None)).fit().predict(F.apply(X))
    np.testing.assert_allclose(estimate, X, atol=1e-3)
    with pytest.raises(InputError, match="negative entries"):
        RichardsonLucy(F).fit()
