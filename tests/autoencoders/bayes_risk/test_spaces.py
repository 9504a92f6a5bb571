from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import invae
from invae.autoencoders.bayes_risk import posterior, spaces
from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor
from invae.errors import InputError
from invae.linalg import reduced_rank
from invae.linalg.priors import GaussianPrior
from invae.linalg.reduced_rank import Product


@pytest.fixture
def prior(rng):
    X = GaussianPrior.matern((6, 6), 2.0, smoothness=1.5).sample(20, rng)
    return GaussianPrior.from_samples(X, shrinkage="kernel")


def product_of(rec):
    return rec.decoder_ @ rec.encoder_


@pytest.mark.parametrize("m", [20, 50])
def test_every_space_of_a_structured_prior_gives_the_same_map(prior, rng, m):
    F = rng.standard_normal((m, 36))
    a, b = (
        BayesRiskReconstructor(F, noise=0.5, prior=prior, space=d).fit() for d in ("measurements", "signal")
    )
    Gamma = prior.covariance()
    A = Gamma @ F.T @ np.linalg.inv(F @ Gamma @ F.T + 0.25 * np.eye(m))
    for rec in (a, b):
        assert np.allclose(product_of(rec), A, atol=1e-9)
        assert rec.risk_ == pytest.approx(np.trace(Gamma - A @ F @ Gamma), rel=1e-8)


def test_low_rank_space_counts_what_it_cuts_off_as_unexplained(prior, rng, monkeypatch):
    monkeypatch.setattr(spaces, "MODES", 24)
    F = rng.standard_normal((20, 36))
    exact = BayesRiskReconstructor(F, noise=0.5, prior=prior).fit()
    low = BayesRiskReconstructor(F, noise=0.5, prior=prior, space="prior", rank=20).fit()
    Gamma, A = prior.covariance(), product_of(low)
    D = A @ F - np.eye(36)
    true_risk = np.trace(D @ Gamma @ D.T) + 0.25 * np.sum(A**2)
    assert exact.risk_ <= true_risk < 1.3 * exact.risk_
    assert low.risk_ == pytest.approx(true_risk, rel=0.2)


def test_very_large_models_keep_their_rows_and_give_the_same_map(rng, monkeypatch):
    F = rng.standard_normal((25, 30))
    X = rng.standard_normal((12, 30)) * np.linspace(2, 0.1, 30)
    y = X @ F.T
    dense = BayesRiskReconstructor(F, noise=0.3, rank="full", shrinkage=None).fit(X)
    monkeypatch.setattr(reduced_rank, "LARGEST_DENSE", 0)
    rows = BayesRiskReconstructor(F, noise=0.3, rank="full", shrinkage=None).fit(X)
    assert isinstance(rows._model.factors.core.cross, Product)
    assert np.allclose(rows.predict(y), dense.predict(y), atol=1e-7)
    assert np.allclose(rows.std_, dense.std_, atol=1e-6)
    assert rows.risk_ == pytest.approx(dense.risk_, rel=1e-6)
    assert np.allclose(
        rows.at(noise=1.0, rank=4).predict(y), dense.at(noise=1.0, rank=4).predict(y), atol=1e-6
    )
    assert np.allclose(rows.estimate_noise(y + 0.3), dense.estimate_noise(y + 0.3), rtol=1e-5)
    single = BayesRiskReconstructor(F, noise=0.3, rank="full", shrinkage=None).fit(X.astype(np.float32))
    assert single.decoder_.dtype == np.float32
    assert np.allclose(single.predict(y), dense.predict(y), atol=1e-3)
    assert rows.at(rank=3).rank_ == 3


def test_a_large_model_of_automatic_rank_drops_negligible_directions(rng, monkeypatch):
    monkeypatch.setattr(reduced_rank, "LARGEST_DENSE", 0)
    X = rng.standard_normal((20, 30)) * np.linspace(2, 0.001, 30) ** 8
    rec = BayesRiskReconstructor(noise=0.3, validation=0.0, shrinkage=None).fit(X)
    assert rec.rank_ < len(rec.risk_curve_) - 1
    assert rec.risk_ <= 1.001 * rec.risk_curve_[-1]


def test_large_model_is_saved_and_loaded(rng, monkeypatch, tmp_path):
    monkeypatch.setattr(reduced_rank, "LARGEST_DENSE", 0)
    rec = BayesRiskReconstructor(noise=0.3, shrinkage=None).fit(rng.standard_normal((12, 30)))
    y = rng.standard_normal((2, 30))
    again = invae.load(rec.save(tmp_path / "large.h5"))
    assert np.array_equal(again.at(noise=0.5).predict(y), rec.at(noise=0.5).predict(y))


def test_few_samples_are_completed_by_a_kernel(rng):
    truth = GaussianPrior.matern((8, 8), 3.0, smoothness=1.5, mean=1.0)
    F = invae.Blur((8, 8), sigma=1.0)
    few, many = truth.sample(20, rng), truth.sample(500, rng)
    y = F.apply(many) + 0.05 * rng.standard_normal(many.shape)
    auto = BayesRiskReconstructor(F, noise=0.05).fit(few)
    raw = BayesRiskReconstructor(F, noise=0.05, shrinkage=None).fit(few)
    exact = BayesRiskReconstructor(F, noise=0.05, prior=truth).fit()
    risk = {
        name: np.mean((rec.predict(y) - many) ** 2)
        for name, rec in [("auto", auto), ("raw", raw), ("exact", exact)]
    }
    assert auto.prior_.choice is not None and raw.prior_ is None
    assert risk["auto"] < 1.3 * risk["exact"] < risk["raw"]
    assert auto.validated_risk_curve_ is not None


@pytest.mark.parametrize("wrap", [scipy.sparse.csr_array, np.asarray, scipy.sparse.csr_matrix])
def test_any_matrix_is_an_operator(prior, rng, wrap):
    F = rng.standard_normal((20, 36))
    a = BayesRiskReconstructor(wrap(F), noise=0.5, prior=prior).fit()
    b = BayesRiskReconstructor(F, noise=0.5, prior=prior, space="signal").fit()
    assert np.allclose(product_of(a), product_of(b), atol=1e-8)


def test_augmentation_learns_the_symmetric_covariance(rng):
    X = rng.standard_normal((40, 4, 4))
    a = BayesRiskReconstructor(noise=0.1, augment="d4", shrinkage=None, rank="full").fit(X)
    b = BayesRiskReconstructor(
        noise=0.1, prior=GaussianPrior.from_samples(X, augment="d4"), rank="full"
    ).fit()
    assert np.allclose(product_of(a), product_of(b), atol=1e-9)


def test_a_space_that_does_not_apply_says_which_do(prior, rng):
    with pytest.raises(InputError, match="measurements"):
        BayesRiskReconstructor(rng.standard_normal((5, 36)), prior=prior, space="samples").fit()


@pytest.mark.parametrize("noise", [0.5, np.linspace(0.3, 0.8, 20)], ids=["white", "unequal"])
def test_conjugate_gradients_reach_the_exact_posterior_mean(prior, rng, monkeypatch, noise):
    monkeypatch.setattr(spaces, "MODES", 6)
    monkeypatch.setattr(posterior, "RTOL", 1e-10)
    F = rng.standard_normal((20, 36))
    exact = BayesRiskReconstructor(F, noise=noise, prior=prior, space="measurements").fit()
    iterated = BayesRiskReconstructor(F, noise=noise, prior=prior, space="prior").fit()
    y = prior.sample(40, rng).reshape(40, 36) @ F.T
    assert np.allclose(iterated.predict(y), exact.predict(y), atol=1e-7)
    assert np.allclose(iterated.predict(y[3:5]), iterated.predict(y)[3:5], atol=1e-9)
    assert iterated.risk_ == pytest.approx(exact.risk_, rel=0.2)
    assert not np.allclose(iterated.at(rank=10).predict(y), exact.predict(y), atol=1e-2)
    louder = iterated.at(noise=1.0), exact.at(noise=1.0)
    assert np.allclose(louder[0].predict(y), louder[1].predict(y), atol=1e-7)


def test_conjugate_gradients_with_unknown_noise(prior, rng, monkeypatch):
    monkeypatch.setattr(spaces, "MODES", 24)
    F = rng.standard_normal((90, 36))
    rec = BayesRiskReconstructor(F, noise="auto", prior=prior, space="prior").fit()
    X = prior.sample(200, rng).reshape(200, 36)
    y = X @ F.T + 2.0 * rng.standard_normal((200, 90))
    exact = BayesRiskReconstructor(F, noise=2.0, prior=prior).fit()
    assert np.median(rec.estimate_noise(y)) == pytest.approx(2.0, rel=0.1)
    assert np.mean(np.sum((rec.predict(y) - X) ** 2, axis=1)) < 1.15 * exact.risk_
