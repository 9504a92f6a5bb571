from __future__ import annotations

import numpy as np
import pytest

import invae
from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor
from invae.data.simulation.phantoms import random_ellipses
from invae.errors import InputError
from invae.linalg.priors import GaussianPrior

SHAPE = (8, 8)


@pytest.fixture(scope="module")
def problem():
    prior = GaussianPrior.matern(SHAPE, 3.0, smoothness=1.5, std=0.5, mean=2.0)
    F = invae.Radon(SHAPE, n_angles=6)
    return F, prior, BayesRiskReconstructor(F, noise=0.3, prior=prior).fit()


def heavy_tailed(n, rng):
    fields = GaussianPrior.matern(SHAPE, 3.0, smoothness=1.5).sample(n, rng)
    return fields * rng.gamma(0.2, 3.0, (n, 1, 1)) + 1.0


def noisy(F, X, std, rng):
    Y = F.apply(X)
    return Y + std * rng.standard_normal(Y.shape)


def test_gaussian_coverage_holds_on_gaussian_signals(problem, rng):
    F, prior, rec = problem
    X = prior.sample(1000, rng)
    for row in rec.coverage(X, noisy(F, X, 0.3, rng)):
        assert row["gaussian"] == pytest.approx(row["level"], abs=0.01)


def test_calibration_restores_coverage_on_other_signals(rng):
    F = invae.Radon(SHAPE, n_angles=6)
    rec = BayesRiskReconstructor(F, noise=0.3).fit(heavy_tailed(400, rng))
    X, held = heavy_tailed(500, rng), heavy_tailed(1000, rng)
    rec.calibrate(X, noisy(F, X, 0.3, rng))
    Y = noisy(F, held, 0.3, rng)
    rows = {row["level"]: row for row in rec.coverage(held, Y)}
    assert rows[0.9]["calibrated"] == pytest.approx(0.9, abs=0.02)
    assert abs(rows[0.68]["gaussian"] - 0.68) > 0.03
    assert rows[0.68]["calibrated"] == pytest.approx(0.68, abs=0.02)
    low, high = rec.predict_interval(Y, 0.9)
    assert low.shape == held.shape
    assert np.mean((held >= low) & (held <= high)) == pytest.approx(rows[0.9]["calibrated"], abs=1e-3)


def test_posterior_samples_have_the_error_covariance_of_the_map(problem, rng):
    F, prior, rec = problem
    cut = rec.at(rank=10)
    y = noisy(F, prior.sample(1, rng), 0.3, rng)
    draws = cut.sample_posterior(y, 4000, rng).reshape(4000, -1)
    assert np.allclose(draws.mean(axis=0), cut.predict(y).ravel(), atol=0.06)
    assert np.allclose(draws.std(axis=0), cut.std_, rtol=0.06)
    Gamma = prior.covariance()
    A = cut.decoder_ @ cut.encoder_
    D = A @ F.todense() - np.eye(64)
    exact = D @ Gamma @ D.T + 0.09 * A @ A.T
    assert np.abs(np.cov(draws.T) - exact).max() < 0.1 * exact.max()


def test_posterior_samples_without_a_prior_have_the_predicted_deviation(rng):
    F = invae.Radon(SHAPE, n_angles=6)
    X = GaussianPrior.matern(SHAPE, 3.0).sample(300, rng)
    rec = BayesRiskReconstructor(F, noise=0.3, shrinkage=None).fit(X)
    draws = rec.sample_posterior(F.apply(X[:2]), 500, rng)
    assert draws.shape == (500, 2, *SHAPE)
    assert np.allclose(draws.std(axis=0).reshape(2, -1), rec.std_, rtol=0.25)


def test_noise_level_is_found_from_the_measurement(problem, rng):
    F, prior, rec = problem
    for std in (0.03, 0.3, 3.0):
        X = prior.sample(200, rng)
        found = rec.estimate_noise(noisy(F, X, std, rng))
        assert np.median(found) == pytest.approx(std, rel=0.1)


def test_a_loud_or_silent_measurement_leaves_the_noise_level_of_the_others_alone(problem, rng):
    F, prior, rec = problem
    Y = noisy(F, prior.sample(3, rng), 0.3, rng).reshape(3, -1)
    alone = rec.estimate_noise(Y[:1])
    beside = rec.estimate_noise(np.stack([Y[0], 1e6 * Y[1], rec.mean_y_, Y[2]]))
    assert alone[0] == pytest.approx(0.3, rel=0.5)
    np.testing.assert_allclose(beside[0], alone[0], rtol=1e-9)
    np.testing.assert_allclose(beside[3], rec.estimate_noise(Y[2:])[0], rtol=1e-9)
    assert beside[1] > 1e4 and beside[2] < 1e-6


def test_unknown_noise_costs_little(problem, rng):
    F, prior, rec = problem
    blind = BayesRiskReconstructor(F, noise="auto", prior=prior).fit()
    for std in (0.05, 0.3, 1.0):
        X = prior.sample(400, rng)
        Y = noisy(F, X, std, rng)
        informed = rec.at(noise=std)
        x_hat, deviation = blind.predict(Y, return_std=True)
        risk = np.mean(np.sum((x_hat - X) ** 2, axis=(1, 2)))
        assert risk < 1.08 * informed.risk_
        assert np.mean(np.abs(x_hat - X) < 1.645 * deviation) == pytest.approx(0.9, abs=0.03)


def test_poisson_noise_has_the_risk_that_was_predicted(rng):
    prior = GaussianPrior.matern(SHAPE, 3.0, smoothness=1.5, std=0.2, mean=2.0)
    F, noise = invae.Radon(SHAPE, n_angles=6), invae.PoissonNoise(5.0)
    rec = BayesRiskReconstructor(F, noise=noise, prior=prior).fit()
    X = prior.sample(4000, rng)
    Y = noise.sample(np.maximum(F.apply(X), 0), rng)
    assert np.mean(np.sum((rec.predict(Y) - X) ** 2, axis=(1, 2))) == pytest.approx(rec.risk_, rel=0.03)
    white = BayesRiskReconstructor(F, noise=noise.std_for(F.apply(X)), prior=prior).fit()
    assert np.mean((white.predict(Y) - X) ** 2) > np.mean((rec.predict(Y) - X) ** 2)


def test_anomalies_have_small_p_values_and_others_do_not(problem, rng):
    F, prior, _ = problem
    rec = BayesRiskReconstructor(F, noise=0.3, prior=prior).fit()
    X = prior.sample(600, rng)
    rec.calibrate(X, noisy(F, X, 0.3, rng))
    fresh = prior.sample(400, rng)
    Y = noisy(F, fresh, 0.3, rng)
    p = rec.anomaly_score(Y)
    assert np.mean(p <= 0.1) == pytest.approx(0.1, abs=0.05)
    doubled = noisy(F, fresh, 0.9, rng)
    dead = Y.copy()
    dead[:, 2] = 0
    rough = F.apply(fresh + 1.5 * rng.standard_normal(fresh.shape)) + 0.3 * rng.standard_normal(Y.shape)
    for strange in (doubled, dead, rough):
        assert np.median(rec.anomaly_score(strange)) < 0.02


def test_calibration_is_stored(problem, rng, tmp_path):
    F, prior, _ = problem
    rec = BayesRiskReconstructor(F, noise=0.3, prior=prior).fit()
    X = prior.sample(100, rng)
    rec.calibrate(X)
    y = noisy(F, X, 0.3, rng)
    again = invae.load(rec.save(tmp_path / "model.h5"))
    assert np.array_equal(again.predict_interval(y)[0], rec.predict_interval(y)[0])
    assert np.array_equal(again.anomaly_score(y), rec.anomaly_score(y))
    assert np.array_equal(again.sample_posterior(y, 2, 0), rec.sample_posterior(y, 2, 0))


def test_model_error_learnt_from_pairs_joins_the_noise(rng):
    prior = GaussianPrior.matern(SHAPE, 3.0, smoothness=1.5, mean=1.0)
    F = invae.Radon(SHAPE, n_angles=6)
    drift = np.sin(np.linspace(0, 9, F.shape[0]))
    X, held = prior.sample(120, rng), prior.sample(400, rng)

    def measured(X):
        Y = F.apply(X.reshape(len(X), -1))
        return Y + 1.0 + 2.0 * rng.standard_normal((len(X), 1)) * drift + 0.2 * rng.standard_normal(Y.shape)

    naive = BayesRiskReconstructor(F, noise=0.2).fit(X)
    aware = BayesRiskReconstructor(F).fit(X, measured(X))
    pairs = BayesRiskReconstructor().fit(X, measured(X))
    Y = measured(held)
    truth = held.reshape(len(held), -1)
    risk = {
        n: np.mean((r.predict(Y) - truth) ** 2)
        for n, r in [("naive", naive), ("aware", aware), ("pairs", pairs)]
    }
    assert risk["aware"] < 0.5 * risk["naive"]
    assert risk["aware"] < risk["pairs"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rec, y: rec.anomaly_score(y), "not calibrated"),
        (lambda rec, y: rec.predict_interval(y), "not calibrated"),
        (lambda rec, y: rec.calibrate(np.zeros((3, 64)), y[:3]), "too few"),
        (lambda rec, y: rec.calibrate(np.zeros((3, 64)), y[:2]), "no pairs"),
    ],
)
def test_what_needs_calibration_says_so(problem, rng, call, message):
    F, prior, _ = problem
    rec = BayesRiskReconstructor(F, noise=0.3, prior=prior).fit()
    with pytest.raises(InputError, match=message):
        call(rec, F.apply(prior.sample(10, rng)).reshape(10, -1))


def test_pairs_that_the_operator_explains_have_no_model_error(rng):
    prior = GaussianPrior.matern(SHAPE, 3.0, smoothness=1.5, mean=1.0)
    F = invae.Radon(SHAPE, n_angles=6)
    X = prior.sample(100, rng)
    with_pairs = BayesRiskReconstructor(F, noise=0.3, rank="full").fit(X, F.apply(X))
    without = BayesRiskReconstructor(F, noise=0.3, rank="full").fit(X)
    y = noisy(F, X[:5], 0.3, rng)
    assert np.allclose(with_pairs.predict(y), without.predict(y), atol=0.05)


def left_out_by_hand(make, X, noise):
    """Mean squared error of fits without one sample, on that sample, with its expected noise."""
    total = 0.0
    for i in range(len(X)):
        rec = make().fit(np.delete(X, i, axis=0))
        A = rec.decoder_ @ rec.encoder_
        x, g = X[i].ravel() - rec.mean_x_, rec.operator.apply(X[i].reshape(1, -1))[0] - rec.mean_y_
        total += np.sum((A @ g - x) ** 2) + noise**2 * np.sum(A**2)
    return total / len(X)


@pytest.mark.parametrize("augment", [None, "d4"])
def test_validated_risk_is_that_of_fits_without_the_sample(augment, rng):
    F = invae.Radon(SHAPE, n_angles=6)
    X = GaussianPrior.matern(SHAPE, 3.0, smoothness=1.5, mean=1.0).sample(60, rng)

    def make():
        return BayesRiskReconstructor(F, noise=0.3, shrinkage=None, augment=augment, rank="full")

    rec = make().fit(X)
    assert rec.validated_risk_ == pytest.approx(left_out_by_hand(make, X, 0.3), rel=0.05)
    assert (rec.validated_risk_ > 1.2 * rec.risk_) == (augment is None)


@pytest.mark.parametrize("augment", [None, "flips"])
@pytest.mark.parametrize("N", [2, 12, 40])
def test_validated_risk_of_few_samples_and_fewer_measurements_than_unknowns(N, augment, rng):
    F = invae.Radon(SHAPE, n_angles=2)  # 24 measurements of 64 pixels
    X = GaussianPrior.matern(SHAPE, 3.0, smoothness=1.5, mean=1.0).sample(N, rng)

    def make():
        return BayesRiskReconstructor(F, noise=0.05, shrinkage=None, augment=augment, rank="full")

    assert make().fit(X).validated_risk_ == pytest.approx(left_out_by_hand(make, X, 0.05), rel=0.05)


@pytest.mark.parametrize("N", [40, 200])
@pytest.mark.parametrize("paired", [False, True])
def test_validated_risk_is_the_error_on_new_signals(N, paired, rng):
    F = invae.Radon(SHAPE, n_angles=6)
    new = random_ellipses(2000, SHAPE, rng)
    ratios = []
    for seed in range(4):
        X = random_ellipses(N, SHAPE, seed)
        rec = BayesRiskReconstructor(F, noise=0.3, rank="full").fit(X, F.apply(X) if paired else None)
        measured = np.mean(np.sum((rec.predict(noisy(F, new, 0.3, rng)) - new) ** 2, axis=(1, 2)))
        ratios.append(rec.validated_risk_ / measured)
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


def test_validated_risk_follows_the_noise_and_the_calibration(problem, rng, tmp_path):
    F, prior, known = problem
    assert known.validated_risk_ is None
    rec = BayesRiskReconstructor(F, noise=0.3, rank="full").fit(prior.sample(200, rng))
    louder = rec.at(noise=3.0)
    assert louder.validated_risk_ == pytest.approx(louder.risk_, rel=0.2)
    assert louder.validated_risk_ > 2 * rec.validated_risk_
    assert rec.at(rank=2).validated_risk_ > 2 * rec.validated_risk_
    X = prior.sample(400, rng)
    Y = noisy(F, X, 0.3, rng)
    rec.calibrate(X, Y)
    assert rec.validated_risk_ == np.mean(np.sum((rec.predict(Y) - X) ** 2, axis=(1, 2)))
    assert invae.load(rec.save(tmp_path / "model.h5")).validated_risk_ == rec.validated_risk_


def test_a_lower_rank_is_the_first_part_of_the_map(problem, rng):
    F, prior, rec = problem
    cut = rec.at(rank=5)
    fresh = BayesRiskReconstructor(F, noise=0.3, prior=prior, rank=5).fit()
    y = noisy(F, prior.sample(3, rng), 0.3, rng)
    for ours, theirs in zip(cut.predict(y, return_std=True), fresh.predict(y, return_std=True)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)
    assert cut.risk_ == pytest.approx(fresh.risk_, rel=1e-12)


def test_few_samples_and_a_low_rank_are_validated_on_held_out_signals(rng):
    F = invae.Radon(SHAPE, n_angles=6)
    new = random_ellipses(2000, SHAPE, rng)
    ratios = []
    for seed in range(6):
        X = random_ellipses(60, SHAPE, seed)
        rec = BayesRiskReconstructor(F, noise=0.3, rank=12, shrinkage=None, validation=0.3, rng=seed).fit(X)
        measured = np.mean(np.sum((rec.predict(noisy(F, new, 0.3, rng)) - new) ** 2, axis=(1, 2)))
        ratios.append(rec.validated_risk_ / measured)
    # 42 samples instead of 60 to learn from: somewhat worse than the map is.
    assert 0.9 < np.mean(ratios) < 1.3
    assert (
        BayesRiskReconstructor(F, noise=0.3, rank="full", shrinkage=None).fit(X).at(rank=12).validated_risk_
        is None
    )


def test_pixels_that_never_vary_do_not_pay_for_the_others(problem, rng):
    F, prior, _ = problem
    hole = np.zeros(SHAPE, bool)
    hole[:, :3] = True

    def draw(n):
        return np.where(hole, 0.0, prior.sample(n, rng))

    rec = BayesRiskReconstructor(F, noise=0.3, rank="full", shrinkage=None).fit(draw(400))
    X, held = draw(1000), draw(1000)
    Y = noisy(F, held, 0.3, rng)
    rec.calibrate(X, noisy(F, X, 0.3, rng))
    low, high = rec.predict_interval(Y, 0.9)
    inside = ((held >= low) & (held <= high))[:, ~hole].mean()
    assert inside == pytest.approx(0.9, abs=0.01)
    assert rec.coverage(held, Y, levels=(0.9,))[0]["calibrated"] == pytest.approx(inside, abs=1e-6)
