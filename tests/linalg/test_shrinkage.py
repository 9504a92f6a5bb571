from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.decomposition import PCA

from invae.errors import InputError
from invae.linalg.augment import augment
from invae.linalg.kernels import CosineModes, MaternKernel
from invae.linalg.priors import GaussianPrior
from invae.linalg.shrinkage import choose_kernel, ledoit_wolf, probabilistic_pca


def spread(A, B):
    return np.linalg.norm(A - B) / np.linalg.norm(B)


def test_ledoit_wolf_weight_is_that_of_scikit_learn(rng):
    X = rng.standard_normal((20, 30)) @ rng.standard_normal((30, 30))
    X -= X.mean(axis=0)
    rho, mu = ledoit_wolf(X)
    assert rho == pytest.approx(ledoit_wolf_shrinkage(X, assume_centered=True), rel=1e-10)
    assert mu == pytest.approx(np.mean(X**2), rel=1e-12)


def test_ppca_finds_the_number_of_components(rng):
    W = rng.standard_normal((4, 40)) * 3
    draw = lambda N: rng.standard_normal((N, 4)) @ W + rng.standard_normal((N, 40))  # noqa: E731
    assert probabilistic_pca(draw(300), draw(300)) == 4


def test_ppca_likelihood_is_that_of_scikit_learn(rng):
    W = rng.standard_normal((3, 12))
    X = rng.standard_normal((200, 3)) @ W + 0.5 * rng.standard_normal((200, 12))
    X -= X.mean(axis=0)
    held = rng.standard_normal((200, 3)) @ W + 0.5 * rng.standard_normal((200, 12))
    k = probabilistic_pca(X, held)
    scores = [PCA(j).fit(X).score(held) if j else -np.inf for j in range(11)]
    assert k == int(np.argmax(scores))


def test_cosine_modes_diagonalise_the_reflected_kernel():
    shape, modes = (5, 7), CosineModes((5, 7), 35)
    assert np.allclose(modes.modes @ modes.modes.T, np.eye(35), atol=1e-12)
    mirrored = MaternKernel((10, 14), 1.5, 0.5)
    K = mirrored.dense().reshape(10, 14, 10, 14)
    lag = np.minimum(np.arange(10), 10 - np.arange(10)), np.minimum(np.arange(14), 14 - np.arange(14))
    assert K.shape[0] == 2 * shape[0] and len(lag) == 2
    R = (modes.modes.T * modes.eigenvalues(1.5, 0.5)) @ modes.modes
    assert np.allclose(np.diag(R), modes.variance(1.5, 0.5))
    middle = np.ravel_multi_index((2, 3), shape)
    assert R[middle, middle] == pytest.approx(1.0, abs=0.2)


def test_leading_modes_are_the_same_for_every_kernel():
    modes = CosineModes((16, 16), 256)
    for length, nu in [(1.0, 0.5), (3.0, 1.5), (6.0, np.inf)]:
        power = modes.eigenvalues(length, nu)
        assert power[:64].sum() > 0.97 * np.sort(power)[-64:].sum()


@pytest.mark.parametrize("shrinkage", ["ledoit-wolf", "ppca", "kernel"])
def test_shrinkage_comes_nearer_to_the_truth_than_the_samples(shrinkage):
    truth = GaussianPrior.matern((8, 8), 3.0, smoothness=1.5)
    if shrinkage == "ppca":
        W = np.random.default_rng(1).standard_normal((64, 3))
        truth = GaussianPrior(np.zeros((8, 8)), W @ W.T + np.eye(64))
    X = truth.sample(40, rng=0)
    raw = GaussianPrior.from_samples(X).covariance()
    shrunk = GaussianPrior.from_samples(X, shrinkage=shrinkage)
    assert shrunk.structured
    assert spread(shrunk.covariance(), truth.covariance()) < spread(raw, truth.covariance())
    assert np.linalg.eigvalsh(shrunk.covariance())[0] > 0


def test_kernel_shrinkage_keeps_the_variance_of_every_pixel(rng):
    X = GaussianPrior.matern((6, 6), 2.0).sample(30, rng) * np.linspace(0, 2, 36).reshape(6, 6)
    raw, shrunk = GaussianPrior.from_samples(X), GaussianPrior.from_samples(X, shrinkage="kernel")
    assert np.allclose(shrunk.variance, raw.variance)
    rows = rng.standard_normal((3, 36))
    assert np.allclose(shrunk.apply(rows), rows @ shrunk.covariance(), atol=1e-10)


def test_kernel_search_keeps_the_least_risk_of_what_it_tried(rng):
    truth = GaussianPrior.matern((10,), 3.0)
    X = truth.sample(60, rng)
    found = choose_kernel(X[:40], X[40:], (10,), lambda rows: rows[:, ::2], 0.01, rng)
    assert found.risk == min(risk for *_, risk in found.tried)
    assert any(rho == 0 for _, _, rho, _ in found.tried)


@pytest.mark.parametrize("m", [5, 36])
def test_kernel_search_is_the_same_through_factors_and_measurements(m, rng):
    from invae.linalg.shrinkage import _reweighted

    G, Y, w = rng.standard_normal((20, m)), rng.standard_normal((4, m)), rng.uniform(0, 1, 20)
    expected = Y @ np.linalg.inv((G.T * w) @ G + 0.1 * np.eye(m)) @ G.T * w
    assert np.allclose(_reweighted(G, Y)(w, 0.1), expected)


def test_augmentation_is_the_orbit_of_the_group(rng):
    image = rng.standard_normal((3, 3))
    orbit = augment(image.reshape(1, 9), (3, 3), "d4").reshape(8, 3, 3)
    expected = [np.rot90(flip, k) for flip in (image, image.T) for k in range(4)]
    assert all(any(np.array_equal(a, b) for b in orbit) for a in expected)
    assert augment(image.reshape(1, 9), (9,), "flips").shape == (2, 9)
    assert augment(image.reshape(1, 9), (3, 3), None).shape == (1, 9)


def test_augmented_covariance_has_the_symmetry(rng):
    C = (
        GaussianPrior.from_samples(rng.standard_normal((5, 4, 4)), augment="d4")
        .covariance()
        .reshape(4, 4, 4, 4)
    )
    assert np.allclose(C, C.transpose(1, 0, 3, 2)) and np.allclose(C, C[::-1, :, ::-1])


@pytest.mark.parametrize(
    "call",
    [
        lambda X: GaussianPrior.from_samples(X, shrinkage="lasso"),
        lambda X: GaussianPrior.from_samples(X[:2], shrinkage="kernel"),
        lambda X: GaussianPrior.from_samples(X, augment="d8"),
        lambda X: GaussianPrior.from_samples(X.reshape(20, 16), augment="d4"),
    ],
)
def test_what_cannot_be_shrunk_is_refused(rng, call):
    with pytest.raises(InputError):
        call(rng.standard_normal((20, 4, 4)))
