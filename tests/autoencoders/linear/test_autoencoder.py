from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

import invae
from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor
from invae.autoencoders.linear.autoencoder import LinearAutoencoder
from invae.errors import InputError

PENALTIES = [(0.0, 0.0), (1.5, 0.0), (0.0, 1.5), (1.0, 0.7)]


@parametrize_with_checks([LinearAutoencoder(), LinearAutoencoder(1, product=0.1, decay=0.05)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture
def X(rng):
    return rng.standard_normal((80, 7)) @ np.diag([4, 3, 2.5, 2, 1, 0.5, 0.2]) + 10.0


def loss(W1, W2, Gamma, p, s):
    A = W2 @ W1
    R = np.eye(len(Gamma)) - A
    decay = np.broadcast_to(s, (len(W1),))
    weights = np.sum(decay * np.sum(W1**2, axis=1)) + np.sum(decay * np.sum(W2**2, axis=0))
    return np.trace(R @ Gamma @ R.T) + p * np.sum(A**2) + weights


@pytest.mark.parametrize(("p", "s"), PENALTIES)
def test_minimum_value_is_the_loss_at_the_minimiser(X, p, s):
    ae = LinearAutoencoder(4, product=p, decay=s).fit(X)
    Gamma = np.cov(X.T, bias=True)
    assert ae.risk_ == pytest.approx(loss(ae.encoder_, ae.decoder_, Gamma, p, s), rel=1e-12)
    error = np.mean(np.sum((ae.predict(X) - X) ** 2, axis=1))
    assert ae.reconstruction_risk_ == pytest.approx(error, rel=1e-10)


@pytest.mark.parametrize(("p", "s"), PENALTIES)
def test_closed_form_beats_random_perturbations(X, rng, p, s):
    ae = LinearAutoencoder(4, product=p, decay=s).fit(X)
    Gamma = np.cov(X.T, bias=True)
    for _ in range(100):
        step = 10 ** rng.uniform(-4, 0)
        W1 = ae.encoder_ + step * rng.standard_normal(ae.encoder_.shape)
        W2 = ae.decoder_ + step * rng.standard_normal(ae.decoder_.shape)
        assert loss(W1, W2, Gamma, p, s) > ae.risk_


@pytest.mark.parametrize(("p", "s"), PENALTIES[1:])
def test_training_ends_at_the_closed_form(X, rng, p, s):
    n, k = 7, 3
    Gamma = np.cov(X.T, bias=True)

    def value_and_gradient(w):
        W2, W1 = w[: n * k].reshape(n, k), w[n * k :].reshape(k, n)
        G = 2 * ((W2 @ W1 - np.eye(n)) @ Gamma + p * W2 @ W1)
        gradient = np.concatenate([(G @ W1.T + 2 * s * W2).ravel(), (W2.T @ G + 2 * s * W1).ravel()])
        return loss(W1, W2, Gamma, p, s), gradient

    start = 0.5 * rng.standard_normal(2 * n * k)
    found = minimize(value_and_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-8})
    ae = LinearAutoencoder(k, product=p, decay=s).fit(X)
    assert ae.risk_ == pytest.approx(found.fun, rel=1e-9)
    trained = found.x[: n * k].reshape(n, k) @ found.x[n * k :].reshape(k, n)
    assert np.allclose(trained, ae.decoder_ @ ae.encoder_, atol=1e-5)


def test_no_penalty_is_pca(X):
    ae, pca = LinearAutoencoder(3).fit(X), PCA(3).fit(X)
    assert np.allclose(ae.predict(X), pca.inverse_transform(pca.transform(X)), atol=1e-10)
    s = np.linalg.svd((X - X.mean(axis=0)) / np.sqrt(len(X)), compute_uv=False)
    assert ae.risk_ == pytest.approx(np.sum(s[3:] ** 2), rel=1e-10)


def test_product_penalty_is_denoising(X):
    ae = LinearAutoencoder(4, product=0.49).fit(X)
    rec = BayesRiskReconstructor(noise=0.7, rank=4).fit(X)
    assert np.allclose(ae.decoder_ @ ae.encoder_, rec.decoder_ @ rec.encoder_, atol=1e-10)
    assert ae.risk_ == pytest.approx(rec.risk_, rel=1e-10)


def test_decay_is_the_posterior_mean_of_probabilistic_pca(X):
    tau2 = 0.8
    ae = LinearAutoencoder(3, decay=tau2).fit(X)
    Xc = X - X.mean(axis=0)
    values, U = np.linalg.eigh(Xc.T @ Xc / len(X))
    U, values = U[:, ::-1][:, :3], values[::-1][:3]
    W = U * np.sqrt(values - tau2)
    posterior = W @ np.linalg.solve(W.T @ W + tau2 * np.eye(3), W.T)
    assert np.allclose(posterior, ae.decoder_ @ ae.encoder_, atol=1e-10)


def test_rising_decay_aligns_codes_with_directions(X, rng):
    s = np.array([0.1, 0.2, 0.4])
    ae = LinearAutoencoder(3, product=0.3, decay=s).fit(X)
    Gamma = np.cov(X.T, bias=True)
    assert ae.risk_ == pytest.approx(loss(ae.encoder_, ae.decoder_, Gamma, 0.3, s), rel=1e-12)
    for _ in range(100):
        Q, _ = np.linalg.qr(np.eye(3) + 0.1 * rng.standard_normal((3, 3)))
        assert loss(Q @ ae.encoder_, ae.decoder_ @ Q.T, Gamma, 0.3, s) >= ae.risk_ - 1e-12


def test_encoder_is_the_transpose_of_the_decoder(X):
    ae = LinearAutoencoder(4, decay=0.3).fit(X)
    assert np.array_equal(ae.encoder_, ae.decoder_.T)


def test_centring_is_the_optimal_bias(X):
    shifted = LinearAutoencoder(3, decay=0.2).fit(X - 123.0)
    ae = LinearAutoencoder(3, decay=0.2).fit(X)
    assert np.allclose(ae.predict(X) - 123.0, shifted.predict(X - 123.0), atol=1e-8)


def test_without_centring_the_second_moment_counts(X):
    ae = LinearAutoencoder(1, center=False).fit(X)
    s = np.linalg.svd(X / np.sqrt(len(X)), compute_uv=False)
    assert np.allclose(ae.mean_, 0)
    assert ae.risk_ == pytest.approx(np.sum(s[1:] ** 2), rel=1e-10)


def test_few_samples_take_the_sample_side_to_the_same_map(X):
    wide = np.hstack([X[:20], np.zeros((20, 30))])
    ae, small = LinearAutoencoder(3, product=0.1).fit(wide), LinearAutoencoder(3, product=0.1).fit(X[:20])
    assert ae.risk_ == pytest.approx(small.risk_, rel=1e-10)
    assert np.allclose(ae.decoder_[:7], small.decoder_, atol=1e-9)


def test_directions_below_the_penalty_are_switched_off(X):
    ae = LinearAutoencoder(7, decay=2.0).fit(X)
    assert np.array_equal(ae.gains_ > 0, ae.variances_ > 2.0)
    assert (ae.decoder_[:, ae.gains_ == 0] == 0).all()


def test_float32_is_kept(X):
    ae = LinearAutoencoder(3).fit(X)
    assert ae.predict(X.astype(np.float32)).dtype == np.float32


def test_save_and_load(X, tmp_path):
    ae = LinearAutoencoder(3, product=0.1, decay=np.array([0.1, 0.2, 0.3])).fit(X)
    again = invae.load(invae.save(ae, tmp_path / "ae.h5"))
    assert np.array_equal(again.predict(X), ae.predict(X))


@pytest.mark.parametrize(
    ("ae", "message"),
    [
        (LinearAutoencoder(9), "n_components=9"),
        (LinearAutoencoder(2.5), "n_components=2.5"),
        (LinearAutoencoder(2, product=-1.0), "product"),
        (LinearAutoencoder(2, decay=[2.0, 1.0]), "rising"),
    ],
)
def test_what_a_user_can_do_wrong_is_one_clear_sentence(X, ae, message):
    with pytest.raises(InputError, match=message):
        ae.fit(X)
