from __future__ import annotations

import pickle

import numpy as np
import pylops
import pytest
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.utils import estimator_checks

import invae
from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor
from invae.errors import InputError, ModelError
from invae.linalg.priors import GaussianPrior


def toy(rng, n=12, m=9, N=40, mean=3.0):
    F = rng.standard_normal((m, n))
    X = rng.standard_normal((N, n)) @ rng.standard_normal((n, n)) * np.linspace(1, 0.1, n) + mean
    return F, X


def bayes_risk(A, b, F, mean, Gamma, tau):
    """E ||A y + b - x||^2 by its definition."""
    D = A @ F - np.eye(len(mean))
    bias = D @ mean + b
    return np.trace(D @ Gamma @ D.T) + tau * np.sum(A**2) + bias @ bias


def as_affine(rec):
    A = rec.decoder_ @ rec.encoder_
    return A, rec.mean_x_ - A @ rec.mean_y_


@pytest.mark.parametrize("rank", [1, 4, 9])
def test_risk_is_the_expected_squared_error_of_the_map(rng, rank):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=0.5, rank=rank).fit(X)
    truth = bayes_risk(*as_affine(rec), F, X.mean(axis=0), np.cov(X.T, bias=True), 0.25)
    assert rec.risk_ == pytest.approx(truth, rel=1e-10)
    assert rec.risk_curve_[rank] == rec.risk_


def test_risk_equals_tail_of_squared_singular_values(rng):
    X = rng.standard_normal((30, 8)) * np.arange(1, 9)
    s = np.linalg.svd((X - X.mean(axis=0)) / np.sqrt(30), compute_uv=False)
    rec = BayesRiskReconstructor(rank=3).fit(X)
    assert rec.risk_ == pytest.approx(np.sum(s[3:] ** 2), rel=1e-10)
    assert np.allclose(rec.risk_curve_, [np.sum(s[r:] ** 2) for r in range(9)], atol=1e-10 * np.sum(s**2))


@pytest.mark.parametrize("rank", [2, 9])
def test_closed_form_beats_random_perturbations(rng, rank):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=0.5, rank=rank).fit(X)
    mean, Gamma = X.mean(axis=0), np.cov(X.T, bias=True)
    for _ in range(100):
        step = 10 ** rng.uniform(-4, 0)
        D = rec.decoder_ + step * rng.standard_normal(rec.decoder_.shape)
        E = rec.encoder_ + step * rng.standard_normal(rec.encoder_.shape)
        b = rec.mean_x_ - D @ E @ rec.mean_y_ + step * rng.standard_normal(len(mean))
        assert bayes_risk(D @ E, b, F, mean, Gamma, 0.25) > rec.risk_


def test_gradient_of_the_risk_vanishes_at_the_map(rng):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=0.5, rank=4).fit(X)
    Gamma = np.cov(X.T, bias=True)
    residual = rec.decoder_ @ rec.encoder_ @ (F @ Gamma @ F.T + 0.25 * np.eye(9)) - Gamma @ F.T
    scale = np.linalg.norm(Gamma @ F.T)
    assert np.linalg.norm(rec.decoder_.T @ residual) < 1e-12 * scale * np.linalg.norm(rec.decoder_)
    assert np.linalg.norm(residual @ rec.encoder_.T) < 1e-12 * scale * np.linalg.norm(rec.encoder_)


def test_training_ends_at_the_closed_form(rng):
    n, m, r = 5, 4, 2
    F, X = toy(rng, n, m)
    X -= X.mean(axis=0)
    Gamma = X.T @ X / len(X)
    C = F @ Gamma @ F.T + 0.3 * np.eye(m)
    C_xy = Gamma @ F.T

    def loss(w):
        D, E = w[: n * r].reshape(n, r), w[n * r :].reshape(r, m)
        R = D @ E @ C - C_xy
        value = np.trace(Gamma) + np.sum((D @ E) * (D @ E @ C - 2 * C_xy))
        return value, 2 * np.concatenate([(R @ E.T).ravel(), (D.T @ R).ravel()])

    found = minimize(loss, rng.standard_normal(r * (n + m)), jac=True, method="BFGS", options={"gtol": 1e-9})
    rec = BayesRiskReconstructor(F, noise=np.sqrt(0.3), rank=r).fit(X)
    assert rec.risk_ == pytest.approx(found.fun, rel=1e-8)
    trained = found.x[: n * r].reshape(n, r) @ found.x[n * r :].reshape(r, m)
    assert np.allclose(trained, rec.decoder_ @ rec.encoder_, atol=1e-5)


@pytest.mark.parametrize("N", [7, 60])
def test_every_space_gives_the_same_map(rng, N):
    F, X = toy(rng, n=8, m=10, N=N)
    maps = [
        BayesRiskReconstructor(F, noise=0.3, rank=5, space=space).fit(X)
        for space in ("samples", "measurements", "signal")
    ]
    for rec in maps:
        assert np.allclose(rec.decoder_ @ rec.encoder_, maps[0].decoder_ @ maps[0].encoder_, atol=1e-9)
        assert np.allclose(rec.decoder_, maps[0].decoder_, atol=1e-8)
        assert np.allclose(rec.std_, maps[0].std_, atol=1e-7)
        assert rec.risk_ == pytest.approx(maps[0].risk_, rel=1e-9)


def test_large_factorisations_go_through_gram_matrices_to_the_same_map(rng, monkeypatch):
    F, X = toy(rng, n=14, m=9)
    direct = BayesRiskReconstructor(F, noise=0.3, rank=5).fit(X)
    monkeypatch.setattr("invae.linalg.factorise.DIRECT", 0)
    monkeypatch.setattr("invae.linalg.reduced_rank.DIRECT", 0)
    gram = BayesRiskReconstructor(F, noise=0.3, rank=5).fit(X)
    wide = BayesRiskReconstructor(F[:, :5], noise=0.3, rank=4).fit(X[:, :5])
    monkeypatch.undo()
    assert np.allclose(gram.decoder_, direct.decoder_, atol=1e-8)
    assert np.allclose(gram.encoder_, direct.encoder_, atol=1e-8)
    again = BayesRiskReconstructor(F[:, :5], noise=0.3, rank=4).fit(X[:, :5])
    assert np.allclose(wide.decoder_ @ wide.encoder_, again.decoder_ @ again.encoder_, atol=1e-8)


def test_exact_pairs_give_the_map_of_the_operator(rng):
    F, X = toy(rng)
    by_operator = BayesRiskReconstructor(F, noise=0.2, rank=6).fit(X)
    by_pairs = BayesRiskReconstructor(noise=0.2, rank=6).fit(X, X @ F.T)
    assert np.allclose(by_pairs.encoder_, by_operator.encoder_, atol=1e-10)
    assert np.allclose(by_pairs.decoder_, by_operator.decoder_, atol=1e-10)


def test_noisy_pairs_learn_their_noise(rng):
    F, X = toy(rng, N=200_000)
    Y = X @ F.T + 0.5 * rng.standard_normal((len(X), 9))
    by_pairs = BayesRiskReconstructor(rank=6).fit(X, Y)
    by_operator = BayesRiskReconstructor(F, noise=0.5, rank=6).fit(X)
    assert by_pairs.risk_ == pytest.approx(by_operator.risk_, rel=0.01)


def test_prior_of_the_samples_gives_the_map_of_the_samples(rng):
    F, X = toy(rng)
    a = BayesRiskReconstructor(F, noise=0.2, rank=6).fit(X)
    b = BayesRiskReconstructor(F, noise=0.2, rank=6, prior=GaussianPrior.from_samples(X)).fit()
    assert np.allclose(a.decoder_ @ a.encoder_, b.decoder_ @ b.encoder_, atol=1e-10)
    assert np.allclose(a.mean_y_, b.mean_y_)


def test_a_shift_of_the_mean_shifts_the_reconstruction(rng):
    F, X = toy(rng)
    shift = rng.standard_normal(12) * 100
    a = BayesRiskReconstructor(F, noise=0.2, rank=5).fit(X)
    b = BayesRiskReconstructor(F, noise=0.2, rank=5).fit(X + shift)
    y = X[:4] @ F.T
    assert np.allclose(b.predict(y + F @ shift), a.predict(y) + shift, atol=1e-9)
    assert b.risk_ == pytest.approx(a.risk_, rel=1e-9)


def test_rank_deficient_signals_are_recovered_exactly_without_noise(rng):
    X = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 20)) + 1.0
    F = rng.standard_normal((6, 20))
    rec = BayesRiskReconstructor(F).fit(X)
    assert rec.rank_ == 3
    assert rec.risk_ < 1e-12 * X.size
    assert np.allclose(rec.predict(X @ F.T), X, atol=1e-9)


@pytest.mark.parametrize(("N", "tolerance"), [(5, 0.0), (1, 0.0), (3, 0.1)])
def test_constant_signals_are_their_mean(N, tolerance):
    rec = BayesRiskReconstructor(np.ones((2, 3)), noise=0.1, tolerance=tolerance).fit(np.full((N, 3), 2.0))
    for model in (rec, rec.at(noise=0.3)):
        assert model.rank_ == 0
        assert np.allclose(model.predict(np.zeros((1, 2))), 2.0)


def test_one_factorisation_serves_all_ranks_and_noise_levels(rng):
    F, X = toy(rng)
    base = BayesRiskReconstructor(F, noise=0.1, rank="full").fit(X)
    for rank, noise in [(3, 0.1), (9, 0.7), (2, 2.0)]:
        fresh = BayesRiskReconstructor(F, noise=noise, rank=rank).fit(X)
        cheap = base.at(rank=rank, noise=noise)
        assert np.allclose(cheap.decoder_ @ cheap.encoder_, fresh.decoder_ @ fresh.encoder_, atol=1e-10)
        assert cheap.risk_ == pytest.approx(fresh.risk_, rel=1e-10)
        assert cheap.noise_std_ == pytest.approx(noise)
    assert base.rank_ == 9


def test_relative_noise_is_resolved_on_clean_measurements(rng):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=invae.GaussianNoise(relative=0.1), rank=3).fit(X)
    assert rec.noise_std_ == pytest.approx(0.1 * np.sqrt(np.mean((X @ F.T) ** 2)))
    prior = GaussianPrior.from_samples(X)
    known = BayesRiskReconstructor(F, noise=invae.GaussianNoise(relative=0.1), rank=3, prior=prior).fit()
    assert known.noise_std_ == pytest.approx(rec.noise_std_)


def test_unequal_noise_is_whitened(rng):
    F, X = toy(rng)
    std = rng.uniform(0.1, 2, 9)
    rec = BayesRiskReconstructor(F, noise=std, rank="full").fit(X)
    Gamma = np.cov(X.T, bias=True)
    A = Gamma @ F.T @ np.linalg.inv(F @ Gamma @ F.T + np.diag(std**2))
    assert np.allclose(rec.decoder_ @ rec.encoder_, A, atol=1e-10)
    assert rec.risk_ == pytest.approx(np.trace(Gamma - A @ F @ Gamma), rel=1e-9)


def test_truncating_the_unwhitened_map_is_worse(rng):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=2.0, rank=2).fit(X)
    full = rec.at(rank="full")
    U, s, Vt = np.linalg.svd(full.decoder_ @ full.encoder_)
    A = (U[:, :2] * s[:2]) @ Vt[:2]
    Gamma, mean = np.cov(X.T, bias=True), X.mean(axis=0)
    assert bayes_risk(A, mean - A @ F @ mean, F, mean, Gamma, 4.0) > rec.risk_


def test_posterior_deviation_covers_gaussian_signals(rng):
    prior = GaussianPrior.matern((30,), length_scale=5.0, mean=1.0)
    F = rng.standard_normal((12, 30))
    rec = BayesRiskReconstructor(F, noise=0.5, prior=prior).fit()
    X = prior.sample(4000, rng)
    x_hat, std = rec.predict(X @ F.T + 0.5 * rng.standard_normal((4000, 12)), return_std=True)
    assert std.shape == x_hat.shape == X.shape
    inside = np.mean(np.abs(x_hat - X) <= 1.6448536 * std, axis=0)
    assert np.abs(inside - 0.9).max() < 0.03
    assert np.sum(rec.std_**2) == pytest.approx(rec.risk_, rel=1e-9)


def test_validated_rank_stops_before_noise_is_fitted(rng):
    basis = rng.standard_normal((3, 40)) * 5
    X = rng.standard_normal((60, 3)) @ basis + 0.05 * rng.standard_normal((60, 40))
    Y = X + 1.0 * rng.standard_normal(X.shape)
    rec = BayesRiskReconstructor().fit(X, Y)
    assert rec.rank_ <= 10
    assert rec.validated_risk_curve_[rec.rank_] == rec.validated_risk_curve_[1:].min()


def test_float32_is_kept_and_agrees(rng):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=0.3, rank=5).fit(X.astype(np.float32))
    y = X @ F.T
    x32, std32 = rec.predict(y.astype(np.float32), return_std=True)
    assert x32.dtype == std32.dtype == np.float32
    assert np.allclose(x32, rec.predict(y), atol=1e-3)


def test_shaped_in_shaped_out_and_input_untouched(rng):
    F = pylops.MatrixMult(rng.standard_normal((6, 12)))
    X = rng.standard_normal((20, 3, 4))
    prior = GaussianPrior.from_samples(X)
    rec = BayesRiskReconstructor(F, noise=0.1, prior=prior).fit()
    y = rng.standard_normal((5, 6))
    before = y.copy()
    assert rec.predict(y).shape == (5, 12)
    assert np.array_equal(y, before)
    pairs = BayesRiskReconstructor(rank=4).fit(X, rng.standard_normal((20, 2, 3)))
    assert pairs.predict(rng.standard_normal((5, 2, 3))).shape == (5, 3, 4)
    assert pairs.transform(rng.standard_normal((5, 2, 3))).shape == (5, 4)


def test_decoding_the_code_is_predicting(rng):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=0.1, rank=4).fit(X)
    y = X @ F.T
    assert np.allclose(rec.inverse_transform(rec.transform(y)), rec.predict(y))


def test_save_and_load(rng, tmp_path):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=invae.GaussianNoise(0.1)).fit(X)
    y = X @ F.T
    again = invae.load(rec.save(tmp_path / "model.h5"))
    assert np.array_equal(again.predict(y), rec.predict(y))
    assert np.allclose(again.at(rank=2, noise=1.0).predict(y), rec.at(rank=2, noise=1.0).predict(y))
    slim = invae.load(rec.save(tmp_path / "slim.h5", factors=False))
    assert np.array_equal(slim.predict(y), rec.predict(y))
    with pytest.raises(ModelError, match="factors"):
        slim.at(rank=2)


def test_a_slim_model_still_predicts_where_the_noise_is_found_from_each_measurement(rng, tmp_path):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise="auto").fit(X)
    slim = invae.load(rec.save(tmp_path / "slim.h5", factors=False))
    assert np.array_equal(slim.predict(X @ F.T), rec.predict(X @ F.T))


def test_a_generator_as_the_seed_does_not_prevent_storing(rng, tmp_path):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=0.3, rng=np.random.default_rng(3)).fit(X)
    again = invae.load(rec.save(tmp_path / "model.h5"))
    assert again.rng is None
    assert np.array_equal(again.predict(X @ F.T), rec.predict(X @ F.T))


def test_a_large_model_is_stored_by_its_factors_and_loads_to_the_same_map(rng, tmp_path, monkeypatch):
    monkeypatch.setattr("invae.linalg.reduced_rank.DIRECT", 0)
    F, X = toy(rng, n=200, m=30, N=60)
    rec = BayesRiskReconstructor(F, noise=0.3, rank="full").fit(X)
    path = rec.save(tmp_path / "model.h5")
    stored = invae.persistence.describe(path)["arrays"].values()
    assert [shape for _, shape in stored].count((200, 30)) == 1  # cross; decoder and encoder follow from it
    again = invae.load(path)
    for name in ("decoder_", "encoder_", "std_"):
        assert np.array_equal(getattr(again, name), getattr(rec, name))
    assert np.array_equal(again.at(noise=1.0).decoder_, rec.at(noise=1.0).decoder_)
    assert np.array_equal(invae.load(again.save(tmp_path / "again.h5")).decoder_, rec.decoder_)


def test_a_model_stored_with_its_map_written_out_still_loads(rng, tmp_path, monkeypatch):
    monkeypatch.setattr("invae.linalg.reduced_rank.DIRECT", 0)
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=0.3).fit(X)
    rec._compact = None  # the layout of the first files
    assert {"encoder_", "decoder_"} <= set(rec.to_state()["fitted"])
    again = invae.load(rec.save(tmp_path / "model.h5"))
    assert np.array_equal(again.predict(X @ F.T), rec.predict(X @ F.T))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda F, X: BayesRiskReconstructor(F, rank=80).fit(X), "rank=80"),
        (lambda F, X: BayesRiskReconstructor(F, rank=0).fit(X), "rank=0"),
        (lambda F, X: BayesRiskReconstructor(F, rank="best").fit(X), "best"),
        (lambda F, X: BayesRiskReconstructor(F, rank=2.5).fit(X), "rank=2.5"),
        (lambda F, X: BayesRiskReconstructor(F, rank=None).fit(X), "rank=None"),
        (lambda F, X: BayesRiskReconstructor(F).fit(X).at(rank="auto"), "rank='auto'"),
        (lambda F, X: BayesRiskReconstructor(F, augment="flips").fit(iter([X])), "augment='flips'"),
        (lambda F, X: BayesRiskReconstructor(F, shrinkage="ppca").fit(iter([X])), "shrinkage='ppca'"),
        (lambda F, X: BayesRiskReconstructor(F, noise=-1.0).fit(X), "noise"),
        (lambda F, X: BayesRiskReconstructor(F).fit(), "nothing to fit"),
        (lambda F, X: BayesRiskReconstructor(F).fit(X[:, :5]), "signals has shape"),
        (lambda F, X: BayesRiskReconstructor(F).fit(X, X[:3, :9]), "no pairs"),
        (lambda F, X: BayesRiskReconstructor(F, space="window").fit(X), "space"),
        (lambda F, X: BayesRiskReconstructor(F[:5], space="signal").fit(X, X @ F[:5].T), "space"),
        (lambda F, X: BayesRiskReconstructor(F).fit(X).predict(X), "measurements has shape"),
        (lambda F, X: BayesRiskReconstructor(F).fit(X * np.nan), "NaN"),
    ],
)
def test_what_a_user_can_do_wrong_is_one_clear_sentence(rng, make, message):
    F, X = toy(rng)
    with pytest.raises(InputError, match=message):
        make(F, X)


OPERATORS = {
    "tomography": lambda: invae.Radon((16, 16), n_angles=12),
    "blur": lambda: invae.Blur((16, 16), sigma=1.5),
    "heat": lambda: invae.Heat((16, 16), time=1.0),
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("rank", [20, "full"])
def test_predicted_risk_is_the_risk_measured_by_monte_carlo(name, rank):
    F = OPERATORS[name]()
    prior = GaussianPrior.matern((16, 16), length_scale=4.0, smoothness=1.5, std=0.5, mean=1.0)
    rec = BayesRiskReconstructor(F, noise=invae.GaussianNoise(relative=0.05), rank=rank, prior=prior).fit()
    rng = np.random.default_rng(1)
    X = prior.sample(4000, rng).reshape(4000, -1)
    Y = F.apply(X) + rec.noise_std_ * rng.standard_normal((4000, F.shape[0]))
    errors = np.sum((rec.predict(Y) - X) ** 2, axis=1)
    assert errors.mean() == pytest.approx(rec.risk_, rel=0.02)


# What these checks do with an estimator does not apply: fit takes signals, predict takes measurements, and
# measurements of one entry each (the y of the checks) are pairs of another size.
CONTRACT = (
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_mixin_order",
    "check_valid_tag_types",
)


@pytest.mark.parametrize("check", CONTRACT)
def test_scikit_learn_contract_where_it_applies(check):
    getattr(estimator_checks, check)("BayesRiskReconstructor", BayesRiskReconstructor())


def test_clone_and_pickle_give_the_same_map(rng):
    F, X = toy(rng)
    rec = BayesRiskReconstructor(F, noise=0.1).fit(X)
    y = X @ F.T
    assert np.array_equal(clone(rec).fit(X).predict(y), rec.predict(y))
    assert np.array_equal(pickle.loads(pickle.dumps(rec)).predict(y), rec.predict(y))


def test_tolerance_takes_the_smallest_rank_that_is_nearly_best(rng):
    F, X = toy(rng, N=200)
    best = BayesRiskReconstructor(F, noise=0.5).fit(X)
    frugal = BayesRiskReconstructor(F, noise=0.5, tolerance=0.2).fit(X)
    curve = best.validated_risk_curve_
    assert frugal.rank_ < best.rank_
    assert curve[frugal.rank_] <= 1.2 * curve.min() < curve[frugal.rank_ - 1]
    prior = GaussianPrior.from_samples(X)
    known = BayesRiskReconstructor(F, noise=0.5, prior=prior, tolerance=0.2).fit()
    assert known.risk_ <= 1.2 * known.risk_curve_[-1] < known.risk_curve_[known.rank_ - 1]
