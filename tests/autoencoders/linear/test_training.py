"""Training of linear autoencoders: it ends at the closed form, and on the way obeys the theory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from invae.autoencoders.linear import penalties
from invae.autoencoders.linear.autoencoder import LinearAutoencoder
from invae.autoencoders.linear.landscape import Landscape, balance, transpose_gap
from invae.autoencoders.linear.training import train, train_minibatch
from invae.errors import InputError

VARIANCES = np.array([6.0, 5.0, 3.0, 1.5, 0.5])
PENALTIES = [(0.0, 0.0), (1.5, 0.0), (0.0, 1.0), (1.0, 0.4), (0.5, np.array([0.1, 0.3, 0.9]))]


def landscape(rng, p, s):
    Q = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    return Landscape((Q * VARIANCES) @ Q.T, 3, p, s)


@pytest.mark.parametrize(("p", "s"), PENALTIES)
def test_lbfgs_ends_at_the_closed_form(rng, p, s):
    J = landscape(rng, p, s)
    run = train(J, "lbfgs", 60, rng=1, tol=1e-7)
    assert run.trajectory.loss[-1] == pytest.approx(J.minimum, rel=1e-6)
    W1, W2 = J.minimiser()
    np.testing.assert_allclose(run.decoder @ run.encoder, W2 @ W1, atol=1e-6)


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.01), ("sgd", 0.02)])
def test_adam_and_gradient_descent_end_there_too(rng, optimizer, rate):
    J = landscape(rng, 0.5, 0.4)
    run = train(J, optimizer, 1500, learning_rate=rate, rng=1, record_every=100)
    assert run.trajectory.loss[-1] == pytest.approx(J.minimum, rel=1e-6)
    assert run.trajectory.transpose_gap[-1] < 1e-6
    assert run.trajectory.alignment[-1] > 1 - 1e-6
    assert np.all(np.diff(run.trajectory.loss) <= 1e-9 * run.trajectory.loss[0])


@pytest.mark.parametrize("s", [0.5, 0.05, 0.005])
def test_lbfgs_closes_the_transpose_gap_however_small_the_decay(rng, s):
    """The failure of the transpose theorem that the source reports at 0.005 is slow training."""
    J = landscape(rng, 0.5, s)
    run = train(J, "lbfgs", 100, rng=3, tol=1e-8)
    assert run.trajectory.transpose_gap[0] > 1.0
    assert run.trajectory.transpose_gap[-1] < 1e-9


def test_small_gradient_steps_follow_the_balance_law(rng):
    J = landscape(rng, 0.5, 0.2)
    rate, n = 2e-4, 2500
    run = train(J, "sgd", n, learning_rate=rate, rng=2, record_every=250)
    expected = run.trajectory.balance[0] * np.exp(-4 * 0.2 * rate * run.trajectory.steps)
    np.testing.assert_allclose(run.trajectory.balance, expected, rtol=1e-3)


def test_a_saddle_is_left_along_its_descending_directions(rng):
    J = landscape(rng, 0.0, 0.4)
    W1, W2 = J.critical_point((1, 2, 3))
    still = train(J, "sgd", 50, initial=(W1, W2), record_every=50)
    assert still.trajectory.loss[-1] == pytest.approx(J.critical_value((1, 2, 3)), rel=1e-9)
    nudged = (W1 + 1e-3 * rng.standard_normal(W1.shape), W2 + 1e-3 * rng.standard_normal(W2.shape))
    run = train(J, "lbfgs", 60, initial=nudged, tol=1e-7)
    assert run.trajectory.loss[-1] == pytest.approx(J.minimum, rel=1e-6)


def test_recorded_measures_are_those_of_the_weights(rng):
    J = landscape(rng, 0.5, 0.4)
    run = train(J, "adam", 20, rng=0, record_every=7)
    assert run.trajectory.steps.tolist() == [0, 7, 14, 20]
    assert run.trajectory.loss[-1] == J.loss(run.encoder, run.decoder)
    assert run.trajectory.balance[-1] == balance(run.encoder, run.decoder)
    assert run.trajectory.transpose_gap[-1] == transpose_gap(run.encoder, run.decoder)
    assert np.all(np.diff(run.trajectory.seconds) > 0)


def test_training_does_not_touch_its_start_or_the_global_generator(rng):
    J = landscape(rng, 0.5, 0.4)
    start = J.random_weights(0)
    kept = [W.copy() for W in start]
    before = torch.random.get_rng_state()
    a, b = (train(J, "adam", 10, initial=start) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(a.encoder, b.encoder)
    for W, copy in zip(start, kept):
        np.testing.assert_array_equal(W, copy)


def samples(rng, dtype=np.float64):
    X = rng.standard_normal((640, 5)) @ np.diag([3.0, 2.0, 1.0, 0.5, 0.25]) + [4.0, 0, -3, 1, 0]
    return X.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_minibatches_with_biases_reach_the_affine_optimum(rng, dtype):
    X = samples(rng, dtype)
    best = LinearAutoencoder(2, product=0.1, decay=0.05).fit(X)
    J = Landscape(np.cov(X.T, bias=True), 2, 0.1, 0.05)
    run = train_minibatch(
        X, 2, product=0.1, decay=0.05, n_epochs=60, batch_size=32, learning_rate=0.05, landscape=J, rng=0
    )
    assert run.trajectory.loss[-1] == pytest.approx(best.risk_, rel=1e-3)
    np.testing.assert_allclose(run.offset, best.mean_ - run.decoder @ run.encoder @ best.mean_, atol=0.02)
    assert len(run.trajectory.loss) == 60 and run.trajectory.alignment[-1] > 0.999


def test_a_stream_of_batches_is_trained_like_the_array_in_that_order(rng):
    X = samples(rng)
    X = X - X.mean(axis=0)
    run = train_minibatch(
        lambda epoch: (X[i : i + 32] for i in range(0, 640, 32)),
        2,
        n_epochs=40,
        learning_rate=0.05,
        affine=False,
        rng=0,
    )
    best = LinearAutoencoder(2, center=False).fit(X)
    np.testing.assert_array_equal(run.offset, 0)
    assert np.isnan(run.trajectory.alignment).all()
    assert Landscape(X.T @ X / 640, 2).loss(run.encoder, run.decoder) == pytest.approx(best.risk_, rel=1e-2)


def test_integers_and_arrays_that_cannot_be_written_to_are_trained_on(rng):
    X = rng.integers(0, 9, (32, 4))
    X.flags.writeable = False
    assert np.isfinite(train_minibatch(X, 2, n_epochs=1, rng=0).encoder).all()
    assert np.isfinite(train_minibatch(lambda epoch: [X], 2, n_epochs=1, rng=0).encoder).all()
    gamma = np.diag(VARIANCES)
    gamma.flags.writeable = False
    assert train(Landscape(gamma, 2), "adam", 2, rng=0).trajectory.loss.size


def test_a_generator_that_is_used_up_is_named(rng):
    once = iter([samples(rng)])
    with pytest.raises(InputError, match="epoch 2 yielded no batch"):
        train_minibatch(lambda epoch: once, 2, n_epochs=2)


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_penalties_are_their_formulas(rng, name):
    W1, W2 = rng.standard_normal((3, 5)), rng.standard_normal((5, 3))
    expected = {
        "product": np.sum((W2 @ W1) ** 2),
        "decay": np.sum(W1**2) + np.sum(W2**2),
        "contractive": np.sum(W1**2),
    }
    found = penalties.PENALTIES[name](torch.from_numpy(W1), torch.from_numpy(W2)).item()
    assert found == pytest.approx(expected[name], rel=1e-12)


def test_the_product_penalty_is_the_mean_cost_of_white_noise(rng):
    """E ||W2 W1 (x + e) - x||^2 = E ||W2 W1 x - x||^2 + p ||W2 W1||^2 for e of variance p."""
    W1, W2 = rng.standard_normal((2, 4)), rng.standard_normal((4, 2))
    noise = np.sqrt(0.3) * rng.standard_normal((400_000, 4))
    cost = np.mean(np.sum((noise @ W1.T @ W2.T) ** 2, axis=1))
    assert 0.3 * penalties.product(torch.from_numpy(W1), torch.from_numpy(W2)).item() == pytest.approx(
        cost, rel=1e-2
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda J: train(J, "newton"), "adam, sgd, lbfgs"),
        (lambda J: train_minibatch(np.ones(3), 1), "expected"),
        (lambda J: train_minibatch(np.ones((4, 3)), 9), "n_components=9"),
        (lambda J: train_minibatch(np.ones((4, 3)), 1, batch_size=0), "batch_size"),
        (lambda J: train_minibatch(np.ones((4, 3)), 1, n_epochs=0), "n_epochs"),
    ],
)
def test_wrong_input_is_named(rng, call, message):
    with pytest.raises(InputError, match=message):
        call(landscape(rng, 0.0, 0.1))
