"""The landscape of penalised linear autoencoders: critical points, indices, dimensions, gradient flow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime, least_squares, minimize

from invae.autoencoders.linear.autoencoder import LinearAutoencoder
from invae.autoencoders.linear.landscape import Landscape, balance, transpose_gap
from invae.errors import InputError

VARIANCES = np.array([6.0, 5.0, 3.0, 1.5, 0.5])
PENALTIES = [(0.0, 0.0), (1.5, 0.0), (0.0, 1.0), (0.0, 2.0), (0.0, 4.5), (1.0, 0.4), (2.0, 2.5)]


def covariance(rng, variances=VARIANCES):
    Q = np.linalg.qr(rng.standard_normal((len(variances), len(variances))))[0]
    return (Q * variances) @ Q.T


def vector(weights):
    return np.concatenate([part.ravel() for part in weights])


def pair(theta, k, m):
    return theta[: k * m].reshape(k, m), theta[k * m :].reshape(m, k)


@pytest.mark.parametrize(("p", "s"), [*PENALTIES, (0.7, np.array([0.1, 0.2, 0.9]))])
def test_gradient_and_hessian_are_finite_differences(rng, p, s):
    J = Landscape(covariance(rng), 3, p, s)
    theta = rng.standard_normal(30)
    gradient = vector(J.gradient(*pair(theta, 3, 5)))
    numeric = approx_fprime(theta, lambda t: J.loss(*pair(t, 3, 5)), 1e-7)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-3)
    numeric = approx_fprime(theta, lambda t: vector(J.gradient(*pair(t, 3, 5))), 1e-7)
    np.testing.assert_allclose(J.hessian(*pair(theta, 3, 5)), numeric, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("p", "s"), PENALTIES)
def test_every_critical_set_has_no_gradient_and_the_index_and_nullity_of_its_hessian(rng, p, s):
    J = Landscape(covariance(rng), 3, p, s)
    sets = list(J.critical_sets())
    counted = {}
    for indices in sets:
        O = np.linalg.qr(rng.standard_normal((3, 3)))[0][:, : len(indices)]
        weights = J.critical_point(indices, O)
        assert max(np.abs(part).max() for part in J.gradient(*weights)) <= 1e-10
        assert J.loss(*weights) == pytest.approx(J.critical_value(indices), rel=1e-12)
        negative, zero, _ = J.inertia(*weights)
        assert (negative, zero) == (J.morse_index(indices), J.manifold_dimension(len(indices)))
        counted[negative] = counted.get(negative, 0) + 1
    assert len(sets) == J.n_critical_sets
    assert J.index_counts() == dict(sorted(counted.items()))


@pytest.mark.parametrize(("s", "wrong", "sets"), [(1.0, 11, 15), (2.0, 7, 8), (4.5, 4, 4)])
def test_the_uncorrected_index_is_wrong_for_the_sum_loss(rng, s, wrong, sets):
    """With m in the place of m_s, as in the source, the count fails; with m_s it never does (test above)."""
    J = Landscape(covariance(rng), 3, 0.0, s)
    failures = 0
    for indices in J.critical_sets():
        size = len(indices)
        source = sum(indices) - size * (size - 1) // 2 + (3 - size) * (5 - size)
        failures += J.inertia(*J.critical_point(indices))[0] != source
    assert (failures, J.n_critical_sets) == (wrong, sets)


def test_only_the_global_minimum_has_index_zero(rng):
    for p, s in PENALTIES:
        J = Landscape(covariance(rng), 3, p, s)
        assert [i for i in J.critical_sets() if J.morse_index(i) == 0] == [tuple(range(min(3, J.n_active)))]


def test_a_decay_above_the_kth_variance_leaves_a_minimum_of_lower_rank(rng):
    J = Landscape(covariance(rng), 3, 0.0, 4.5)
    W1, W2 = J.minimiser()
    assert np.linalg.matrix_rank(W2 @ W1) == 2
    assert J.inertia(W1, W2)[0] == 0
    assert J.loss(W1, W2) == pytest.approx(J.minimum, rel=1e-12)


@pytest.mark.parametrize("p", [0.0, 1.5])
def test_without_decay_any_left_inverse_is_critical(rng, p):
    J = Landscape(covariance(rng), 3, p, 0.0)
    for indices in [(0,), (1, 3), (0, 2)]:
        size = len(indices)
        G = rng.standard_normal((3, size))
        H = np.linalg.pinv(G)
        H = H + rng.standard_normal((size, 3)) @ (np.eye(3) - G @ H)
        weights = J.critical_point(indices, G, H)
        assert not np.allclose(H, np.linalg.pinv(G))
        assert max(np.abs(part).max() for part in J.gradient(*weights)) <= 1e-10
        assert J.inertia(*weights)[:2] == (J.morse_index(indices), J.manifold_dimension(size))


@pytest.mark.parametrize(("p", "s"), [(0.0, 0.3), (1.0, 0.3), (3.0, 1.0)])
def test_transpose_theorem_holds_at_saddles_too(rng, p, s):
    """Roots of the gradient found from random starts, minima and saddles alike, all have W1 = W2^T."""
    J = Landscape(covariance(rng), 2, p, s)
    ranks, indices = set(), set()
    for _ in range(25):
        found = least_squares(
            lambda t: vector(J.gradient(*pair(t, 2, 5))),
            1.5 * rng.standard_normal(20),
            jac=lambda t: J.hessian(*pair(t, 2, 5)),
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
        )
        if np.abs(found.fun).max() > 1e-9:
            continue
        W1, W2 = pair(found.x, 2, 5)
        assert transpose_gap(W1, W2) < 1e-14
        assert balance(W1, W2) < 1e-7
        ranks.add(int(np.linalg.matrix_rank(W2 @ W1, tol=1e-5)))
        indices.add(J.inertia(W1, W2, 1e-6)[0])
    assert len(indices) >= 3


def test_transpose_theorem_fails_without_decay(rng):
    J = Landscape(covariance(rng), 2, 1.0, 0.0)
    W1, W2 = J.critical_point((0, 1), np.diag([2.0, 3.0]))
    assert max(np.abs(part).max() for part in J.gradient(W1, W2)) < 1e-10
    assert transpose_gap(W1, W2) > 0.1


@pytest.mark.parametrize(("p", "s"), [*PENALTIES, (0.7, np.array([0.1, 0.2, 0.9]))])
def test_no_descent_ends_below_the_closed_form_minimum_and_lbfgs_reaches_it(rng, p, s):
    J = Landscape(covariance(rng), 3, p, s)
    found = minimize(
        lambda t: (J.loss(*pair(t, 3, 5)), vector(J.gradient(*pair(t, 3, 5)))),
        rng.standard_normal(30),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-10},
    )
    assert found.fun == pytest.approx(J.minimum, rel=1e-9)
    assert J.loss(*J.minimiser()) == pytest.approx(J.minimum, rel=1e-12)


@pytest.mark.parametrize(("p", "s"), [*PENALTIES, (0.7, np.array([0.1, 0.2, 0.9]))])
def test_minimum_and_gains_are_those_of_the_linear_autoencoder(rng, p, s):
    X = rng.standard_normal((300, 5)) @ np.linalg.cholesky(covariance(rng)).T
    model = LinearAutoencoder(3, product=p, decay=s).fit(X)
    J = Landscape(np.cov(X.T, bias=True), 3, p, s)
    assert J.minimum == pytest.approx(model.risk_, rel=1e-10)
    assert J.loss(model.encoder_, model.decoder_) == pytest.approx(model.risk_, rel=1e-10)
    np.testing.assert_allclose(J.gains[:3], model.gains_, rtol=1e-9)


def test_distinct_decays_align_the_codes_with_the_principal_directions(rng):
    J = Landscape(covariance(rng), 3, 0.5, np.array([0.1, 0.2, 0.3]))
    found = minimize(
        lambda t: (J.loss(*pair(t, 3, 5)), vector(J.gradient(*pair(t, 3, 5)))),
        rng.standard_normal(30),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 20_000, "maxfun": 100_000, "ftol": 0, "gtol": 1e-11},
    )
    _, W2 = pair(found.x, 3, 5)
    expected = J.directions[:, :3] * np.sqrt(J.gains[:3])
    np.testing.assert_allclose(np.abs(expected.T @ W2), np.diag(J.gains[:3]), atol=1e-5)


@pytest.mark.parametrize(("p", "s"), [(0.0, 0.25), (1.0, 0.05), (0.5, 1.0)])
def test_balance_decays_at_four_times_the_decay_under_gradient_flow(rng, p, s):
    J = Landscape(covariance(rng), 3, p, s)
    W1, W2 = J.random_weights(rng)
    times = np.linspace(0.0, 1.0 / s, 9)
    path = [balance(a, b) for a, b in zip(*J.gradient_flow(W1, W2, times))]
    np.testing.assert_allclose(path, path[0] * np.exp(-4 * s * times), rtol=1e-3)
    rate = -np.polyfit(times, np.log(path), 1)[0]
    assert rate == pytest.approx(4 * s, rel=1e-3)


def test_alignment_is_one_at_the_minimum_and_zero_at_the_wrong_directions(rng):
    J = Landscape(covariance(rng), 2, 0.0, 0.1)
    assert J.alignment(J.minimiser()[1]) == pytest.approx(1.0, abs=1e-12)
    assert J.alignment(J.critical_point((2, 3))[1]) < 1e-10
    assert J.alignment(np.zeros((5, 2))) == 0.0


def test_counting_indices_needs_no_listing():
    """m = 20, k = 8: 263950 critical manifolds without decay, 32 when the decay leaves five directions."""
    sigma = (21 - np.arange(1, 21)) / 5
    product = Landscape(np.diag(sigma**2), 8, 10.0, 0.0)
    assert sum(product.index_counts().values()) == product.n_critical_sets == 263_950
    decay = Landscape(np.diag(sigma**2), 8, 0.0, 10.0)
    assert decay.n_active == 5 and sum(decay.index_counts().values()) == 32


def test_random_starts_are_reproducible():
    J = Landscape(np.diag(VARIANCES), 2)
    for a, b in zip(J.random_weights(3), J.random_weights(3)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Landscape(np.ones((2, 3)), 1), "square"),
        (lambda: Landscape(np.array([[1.0, 1.0], [0.0, 1.0]]), 1), "not symmetric"),
        (lambda: Landscape(np.diag([2.0, -1.0]), 1), "negative eigenvalue"),
        (lambda: Landscape(np.eye(3), 4), "n_components=4"),
        (lambda: Landscape(np.eye(3), 2, -1.0), "penalties"),
        (lambda: Landscape(np.eye(3), 2, 0.0, [2.0, 1.0]), "rising"),
        (lambda: Landscape(np.eye(3), 2).morse_index((0,)), "equal eigenvalues"),
        (lambda: Landscape(np.diag([3.0, 2.0, 1.0]), 2, 0.0, [0.1, 0.2]).n_critical_sets, "one decay"),
        (lambda: Landscape(np.diag([3.0, 2.0, 1.0]), 2, 0.0, 1.5).morse_index((2,)), "leaves"),
        (lambda: Landscape(np.diag([3.0, 2.0, 1.0]), 2).morse_index((1, 1)), "distinct"),
        (lambda: Landscape(np.diag([3.0, 2.0]), 2, 0, 1).critical_point((0,), [[2.0], [0.0]]), "orthonormal"),
        (lambda: Landscape(np.diag([3.0, 2.0]), 2).critical_point((0,), np.ones((3, 1))), "mixing must be"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
