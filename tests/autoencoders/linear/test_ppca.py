"""Probabilistic PCA: the autoencoder with weight decay, planted models, missing values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

import invae
from invae.autoencoders.linear.autoencoder import LinearAutoencoder
from invae.autoencoders.linear.ppca import ProbabilisticPCA
from invae.errors import InputError


@parametrize_with_checks([ProbabilisticPCA(), ProbabilisticPCA(1, noise_variance=0.3)])
def test_estimator_contract(estimator, check):
    check(estimator)


def planted(rng, n_samples=600, n=10, k=3, noise=0.3):
    W = rng.standard_normal((n, k)) * [3.0, 2.0, 1.0]
    mean = rng.standard_normal(n)
    X = rng.standard_normal((n_samples, k)) @ W.T + mean + noise * rng.standard_normal((n_samples, n))
    return X, W, mean


@pytest.mark.parametrize("tau2", [0.01, 0.5, 3.0])
def test_posterior_mean_is_the_autoencoder_with_weight_decay(rng, tau2):
    X, _, _ = planted(rng)
    model = ProbabilisticPCA(4, noise_variance=tau2).fit(X)
    autoencoder = LinearAutoencoder(4, decay=tau2).fit(X)
    np.testing.assert_allclose(model.predict(X), autoencoder.predict(X), atol=1e-8)
    A = autoencoder.decoder_ @ autoencoder.encoder_
    W, M = model.loadings_, model.loadings_.T @ model.loadings_ + tau2 * np.eye(4)
    np.testing.assert_allclose(W @ np.linalg.solve(M, W.T), A, atol=1e-8)


def test_loadings_are_the_root_of_gamma_times_the_decoder(rng):
    X, _, _ = planted(rng)
    values, vectors = np.linalg.eigh(np.cov(X.T, bias=True))
    root = (vectors * np.sqrt(values)) @ vectors.T
    model = ProbabilisticPCA(4, noise_variance=0.5).fit(X)
    decoder = LinearAutoencoder(4, decay=0.5).fit(X).decoder_
    np.testing.assert_allclose(model.loadings_, root @ decoder, atol=1e-8)


def test_likelihood_and_noise_are_those_of_scikit_learn_up_to_the_divisor(rng):
    X, _, _ = planted(rng)
    model, peer = ProbabilisticPCA(3).fit(X), PCA(3).fit(X)
    N = len(X)
    assert model.noise_variance_ == pytest.approx(peer.noise_variance_ * (N - 1) / N, rel=1e-10)
    assert model.log_likelihood_ >= peer.score(X)
    assert model.log_likelihood_ == pytest.approx(peer.score(X), rel=1e-4)


def test_the_closed_form_beats_perturbed_models(rng):
    X, _, _ = planted(rng)
    model = ProbabilisticPCA(3).fit(X)
    best = model.score(X)
    for _ in range(20):
        other = ProbabilisticPCA(3).fit(X)
        other.loadings_ = model.loadings_ + 0.05 * rng.standard_normal(model.loadings_.shape)
        other.noise_variance_ = model.noise_variance_ * np.exp(0.1 * rng.standard_normal())
        other.mean_ = model.mean_ + 0.05 * rng.standard_normal(10)
        assert other.score(X) < best


def test_a_planted_model_is_recovered_in_spite_of_missing_values(rng):
    X, W, _ = planted(rng, 2000)
    truth = X.copy()
    X[rng.random(X.shape) < 0.3] = np.nan
    model = ProbabilisticPCA(3).fit(X)
    assert model.noise_variance_ == pytest.approx(0.09, rel=0.05)
    C = W @ W.T + 0.09 * np.eye(10)
    assert np.linalg.norm(model.get_covariance() - C) < 0.1 * np.linalg.norm(C)
    hidden = np.isnan(X)
    error = np.mean((model.impute(X) - truth)[hidden] ** 2)
    assert error < 0.05 * np.var(truth)
    np.testing.assert_array_equal(model.impute(X)[~hidden], truth[~hidden])
    np.testing.assert_allclose(
        model.loadings_.T @ model.loadings_ - np.diag(np.sum(model.loadings_**2, 0)), 0, atol=1e-9
    )


def test_em_ends_at_a_maximum_of_the_observed_likelihood(rng):
    X, _, _ = planted(rng, 200)
    X[rng.random(X.shape) < 0.2] = np.nan
    model = ProbabilisticPCA(2, tol=1e-12, max_iter=5000).fit(X)
    best = model.score(X)
    base = (model.loadings_.copy(), model.mean_.copy(), model.noise_variance_)
    for _ in range(30):
        model.loadings_ = base[0] + 0.02 * rng.standard_normal(base[0].shape)
        model.mean_ = base[1] + 0.02 * rng.standard_normal(10)
        model.noise_variance_ = base[2] * np.exp(0.02 * rng.standard_normal())
        assert model.score(X) < best


def test_em_agrees_with_the_closed_form_when_almost_nothing_is_missing(rng):
    X, _, _ = planted(rng)
    full = ProbabilisticPCA(3).fit(X)
    X[0, 0] = np.nan
    model = ProbabilisticPCA(3).fit(X)
    assert model.noise_variance_ == pytest.approx(full.noise_variance_, rel=1e-2)
    np.testing.assert_allclose(model.get_covariance(), full.get_covariance(), atol=0.05)


def test_a_large_offset_costs_no_digits(rng):
    X, _, _ = planted(rng, 300)
    X[rng.random(X.shape) < 0.1] = np.nan
    a, b = ProbabilisticPCA(3).fit(X), ProbabilisticPCA(3).fit(X + 1e6)
    assert b.noise_variance_ == pytest.approx(a.noise_variance_, rel=1e-6)


def test_densities_are_those_of_the_gaussian_with_missing_entries_left_out(rng):
    X, _, _ = planted(rng, 100)
    model = ProbabilisticPCA(3).fit(X)
    C = model.get_covariance()
    np.testing.assert_allclose(
        model.score_samples(X), multivariate_normal(model.mean_, C).logpdf(X), rtol=1e-10
    )
    X[0, [1, 4, 5]] = np.nan
    X[1] = np.nan
    seen = [0, 2, 3, 6, 7, 8, 9]
    expected = multivariate_normal(model.mean_[seen], C[np.ix_(seen, seen)]).logpdf(X[0, seen])
    assert model.score_samples(X)[0] == pytest.approx(expected, rel=1e-10)
    assert model.score_samples(X)[1] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(model.transform(X)[1], 0.0, atol=1e-12)
    conditional = model.mean_[1] + C[1, seen] @ np.linalg.solve(
        C[np.ix_(seen, seen)], X[0, seen] - model.mean_[seen]
    )
    assert model.impute(X)[0, 1] == pytest.approx(conditional, rel=1e-9)


def test_samples_follow_the_model(rng):
    X, _, _ = planted(rng)
    model = ProbabilisticPCA(3).fit(X)
    drawn = model.sample(40_000, rng)
    C = model.get_covariance()
    np.testing.assert_allclose(np.cov(drawn.T), C, atol=0.03 * np.abs(C).max())
    np.testing.assert_allclose(drawn.mean(axis=0), model.mean_, atol=0.1)
    np.testing.assert_array_equal(model.sample(3, 5), model.sample(3, 5))


def test_float32_in_float32_out(rng):
    X = planted(rng)[0].astype(np.float32)
    model = ProbabilisticPCA(3).fit(X)
    assert model.transform(X).dtype == model.predict(X).dtype == model.impute(X).dtype == np.float32


def test_a_model_is_stored_and_loaded(rng, tmp_path):
    X, _, _ = planted(rng, 100)
    model = ProbabilisticPCA(3).fit(X)
    invae.save(model, tmp_path / "ppca.h5")
    np.testing.assert_array_equal(invae.load(tmp_path / "ppca.h5").predict(X), model.predict(X))


def test_slow_em_says_so(rng):
    X, _, _ = planted(rng, 60)
    X[0, 0] = np.nan
    with pytest.warns(ConvergenceWarning, match="did not converge in 2"):
        ProbabilisticPCA(2, max_iter=2).fit(X)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ProbabilisticPCA(11), "n_components=11"),
        (ProbabilisticPCA(2.5), "n_components=2.5"),
        (ProbabilisticPCA(2, noise_variance=0.0), "not positive"),
    ],
)
def test_wrong_parameters_are_named(rng, model, message):
    with pytest.raises(InputError, match=message):
        model.fit(planted(rng)[0])


def test_a_feature_without_values_is_named(rng):
    X, _, _ = planted(rng)
    X[:, 4] = np.nan
    with pytest.raises(InputError, match="feature 4 has no value"):
        ProbabilisticPCA(2).fit(X)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_likelihood_is_exact_where_no_noise_is_left(rng, dtype):
    X = rng.standard_normal((60, 3)) @ rng.standard_normal((3, 7)) + 0.3 * rng.standard_normal((60, 7)) + 5
    model = ProbabilisticPCA(7).fit(X.astype(dtype))
    exact = multivariate_normal(X.mean(axis=0), np.cov(X.T, bias=True)).logpdf(X)
    assert model.noise_variance_ < 1e-5
    np.testing.assert_allclose(model.score_samples(X), exact, atol=1e-4)


def test_small_directions_of_ill_scaled_features_are_kept():
    X = np.random.default_rng(3).standard_normal((200, 5)) * 10.0 ** np.array([7, 3, 0, -1, -1.5])
    variances = np.linalg.svd((X - X.mean(0)) / np.sqrt(200), compute_uv=False) ** 2
    model = ProbabilisticPCA(2).fit(X)
    np.testing.assert_allclose(model.noise_variance_, variances[2:].mean(), rtol=1e-6)
    single = ProbabilisticPCA(2).fit((X / [1, 1, 1, 10, 10]).astype(np.float32)[:, [1, 2, 3, 4]])
    assert single.noise_variance_ < 1e-3
