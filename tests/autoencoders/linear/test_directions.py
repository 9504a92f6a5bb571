"""Directions of decoders: singular vectors need a penalty, Rayleigh-Ritz does not; biases drop out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from invae.autoencoders.linear.autoencoder import LinearAutoencoder
from invae.autoencoders.linear.directions import cosines, decoder_svd, optimal_offset, rayleigh_ritz
from invae.autoencoders.linear.landscape import Landscape
from invae.autoencoders.linear.training import train_minibatch
from invae.errors import InputError


@pytest.fixture(scope="module")
def digits():
    X = load_digits().data / 16
    return X, LinearAutoencoder().fit(X)


def test_rayleigh_ritz_undoes_any_change_of_basis(rng):
    X = rng.standard_normal((400, 7)) @ rng.standard_normal((7, 7))
    pca = LinearAutoencoder().fit(X)
    decoder = pca.directions_[:, :3] @ rng.standard_normal((3, 3))
    gamma = np.cov(X.T, bias=True)
    for keywords in ({"covariance": gamma}, {"signals": X}):
        directions, variances = rayleigh_ritz(decoder, **keywords)
        np.testing.assert_allclose(cosines(directions, pca.directions_), 1.0, atol=1e-12)
        np.testing.assert_allclose(variances, pca.variances_[:3], rtol=1e-10)


def test_rayleigh_ritz_of_a_decoder_with_dead_codes_gives_only_live_directions(rng):
    gamma = np.diag([4.0, 3.0, 2.0, 1.0])
    decoder = np.zeros((4, 3))
    decoder[0], decoder[1] = [1, 1, 2], [0, 1, 1]
    directions, variances = rayleigh_ritz(decoder, gamma)
    np.testing.assert_allclose(variances, [4, 3], rtol=1e-12)
    np.testing.assert_allclose(np.abs(directions), np.eye(4)[:, :2], atol=1e-12)


def test_ritz_variances_never_exceed_the_principal_ones(rng):
    gamma = np.diag(np.arange(6.0, 0.0, -1.0))
    for _ in range(20):
        _, variances = rayleigh_ritz(rng.standard_normal((6, 3)), gamma)
        assert np.all(variances <= [6 + 1e-12, 5 + 1e-12, 4 + 1e-12])


def test_singular_values_of_the_optimal_decoder_are_the_source_formula(digits):
    X, pca = digits
    decay = 0.3 * pca.variances_[8]
    optimum = LinearAutoencoder(9, decay=decay).fit(X)
    directions, s = decoder_svd(optimum.decoder_)
    np.testing.assert_allclose(s, np.sqrt(1 - decay / pca.variances_[:9]), rtol=1e-10)
    np.testing.assert_allclose(cosines(directions, pca.directions_), 1.0, atol=1e-8)


def test_directions_of_trained_decoders_on_digits(digits):
    """Adam, 60 epochs, k = 9: SVD(W2) needs a decay of 0.3 sigma_k^2, Rayleigh-Ritz none."""
    X, pca = digits
    found = {}
    for fraction in (0.0, 0.3):
        decay = fraction * pca.variances_[8]
        run = train_minibatch(
            X, 9, decay=decay, n_epochs=60, batch_size=32, learning_rate=0.05, record_every=60, rng=0
        )
        svd, _ = decoder_svd(run.decoder)
        ritz, _ = rayleigh_ritz(run.decoder, signals=X)
        found[fraction] = cosines(svd, pca.directions_).min(), cosines(ritz, pca.directions_).min()
        np.testing.assert_allclose(
            run.offset, optimal_offset(run.encoder, run.decoder, X.mean(axis=0)), atol=0.05
        )
    assert found[0.3][0] >= 0.995 and found[0.3][1] >= 0.999
    assert found[0.0][1] >= 0.999
    assert found[0.0][0] < 0.9


def test_the_best_biases_make_the_affine_loss_that_of_centred_signals(rng):
    X = rng.standard_normal((200, 6)) @ rng.standard_normal((6, 6)) + 5.0 * rng.standard_normal(6)
    W1, W2 = rng.standard_normal((3, 6)), rng.standard_normal((6, 3))
    offset = optimal_offset(W1, W2, X.mean(axis=0))
    linear = X @ W1.T @ W2.T
    # The loss in the offset is a least-squares problem with the constant function; solve it as such.
    numeric = np.linalg.lstsq(np.ones((200, 1)), X - linear, rcond=None)[0][0]
    np.testing.assert_allclose(offset, numeric, rtol=0, atol=1e-12 * np.abs(X).max())
    affine = np.mean(np.sum((X - linear - offset) ** 2, axis=1))
    centred = Landscape(np.cov(X.T, bias=True), 3).loss(W1, W2)
    assert affine == pytest.approx(centred, rel=1e-12)


def test_uncentred_singular_vectors_are_other_directions(digits):
    """Why the source's reference had to be centred: its first direction is the mean image."""
    X, pca = digits
    _, _, Vt = np.linalg.svd(X, full_matrices=False)
    mean = X.mean(axis=0)
    assert abs(Vt[0] @ mean) / np.linalg.norm(mean) > 0.999
    assert cosines(Vt[:2].T, pca.directions_)[0] < 0.2


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({}, "either the covariance or the signals"),
        ({"covariance": np.eye(3), "signals": np.ones((4, 3))}, "not both"),
        ({"covariance": np.eye(4)}, "do not fit"),
    ],
)
def test_wrong_input_is_named(keywords, message):
    with pytest.raises(InputError, match=message):
        rayleigh_ritz(np.ones((3, 2)), **keywords)
    with pytest.raises(InputError, match="zero"):
        rayleigh_ritz(np.zeros((3, 2)), np.eye(3))
