from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from invae.autoencoders.networks import TrainedLinearAutoencoder, UNet, UNetPostprocessor
from invae.classical import FilteredBackprojection, Tikhonov
from invae.data.simulation.phantoms import piecewise_constant, random_ellipses
from invae.errors import InputError
from invae.operators.blur import Blur
from invae.operators.radon import Radon
from invae.persistence import load, save

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def scan():
    F = Radon((16, 16), 12)
    X = random_ellipses(140, (16, 16), rng=0)
    clean = F.apply(X)
    Y = clean + 0.02 * clean.std() * np.random.default_rng(1).standard_normal(clean.shape)
    return F, X[:120], Y[:120], X[120:], Y[120:]


def test_the_untrained_net_adds_nothing(scan):
    F, X, Y, _, _ = scan
    first = FilteredBackprojection(F).fit()
    method = UNetPostprocessor(first, widths=(4, 8), epochs=1, learning_rate=1e-12, rng=0).fit(X[:20], Y[:20])
    np.testing.assert_allclose(method.predict(Y[:3]), first.predict(Y[:3]), atol=1e-6)


@pytest.mark.parametrize("shape", [(16, 16), (13, 10), (7, 9)])
def test_any_shape_goes_through(shape):
    net = UNet(2, (3, 4, 5))
    assert net(torch.zeros(2, 1, *shape)).shape == (2, 1, *shape)


def test_the_net_repairs_what_the_first_method_left(scan):
    F, X, Y, X_test, Y_test = scan
    first = FilteredBackprojection(F).fit()
    method = UNetPostprocessor(first, widths=(8, 16), epochs=25, rng=0).fit(X, Y)
    before = np.linalg.norm(first.predict(Y_test) - X_test)
    assert np.linalg.norm(method.predict(Y_test) - X_test) < 0.8 * before
    assert min(method.history_) < 0.7 * method.history_[0] and method.seconds_ > 0


def test_lines_are_repaired_too():
    F = Blur((32,), sigma=1.5)
    X = piecewise_constant(420, (32,), rng=0)
    Y = F.apply(X) + 0.02 * np.random.default_rng(0).standard_normal(X.shape)
    first = Tikhonov(F, parameter=0.01).fit()
    method = UNetPostprocessor(first, widths=(8, 16), epochs=20, learning_rate=3e-3, rng=0)
    method.fit(X[:400], Y[:400])
    before = np.linalg.norm(first.predict(Y[400:]) - X[400:])
    assert np.linalg.norm(method.predict(Y[400:]) - X[400:]) < 0.9 * before


def test_shape_dtype_seed_and_the_global_state(scan):
    F, X, Y, _, _ = scan
    first = FilteredBackprojection(F).fit()
    state = torch.get_rng_state()
    made = [
        UNetPostprocessor(first, widths=(4, 8), epochs=2, nonnegative=True, rng=3).fit(X[:30], Y[:30])
        for _ in range(2)
    ]
    assert torch.equal(state, torch.get_rng_state())
    shaped = made[0].predict(Y[:4].astype(np.float32))
    assert shaped.shape == (4, 16, 16) and shaped.dtype == np.float32 and shaped.min() >= 0
    flat = made[1].predict(Y[:4].reshape(4, -1))
    assert flat.shape == (4, 256) and flat.dtype == np.float64
    np.testing.assert_allclose(flat, shaped.reshape(4, -1), atol=1e-4)


def test_time_is_a_budget(scan):
    F, X, Y, _, _ = scan
    method = UNetPostprocessor(
        FilteredBackprojection(F).fit(), widths=(4, 8), epochs=100_000, max_seconds=0.3, rng=0
    )
    method.fit(X[:40], Y[:40])
    assert len(method.history_) < 100_000


def gaussian_pairs(n):
    rng = np.random.default_rng(0)
    X = 1.0 + rng.standard_normal((n, 12)) @ (0.7 ** np.arange(12)[:, None] * rng.standard_normal((12, 12)))
    A = rng.standard_normal((9, 12))
    return X, X @ A.T + 0.1 * rng.standard_normal((n, 9))


def test_the_trained_linear_map_comes_near_the_closed_form_and_never_below_it():
    X, Y = gaussian_pairs(1000)
    mean_x, mean_y = X.mean(0), Y.mean(0)
    C_xy, C_yy = (X - mean_x).T @ (Y - mean_y), (Y - mean_y).T @ (Y - mean_y)
    best_map = C_xy @ np.linalg.inv(C_yy)
    U = np.linalg.eigh(best_map @ C_xy.T)[1][:, -4:]
    optimum = np.mean((mean_x + (Y - mean_y) @ (U @ U.T @ best_map).T - X) ** 2)
    method = TrainedLinearAutoencoder(4, epochs=80, learning_rate=1e-2, held_back=0.01, rng=0).fit(X, Y)
    reached = np.mean((method.predict(Y) - X) ** 2)
    assert optimum <= reached * (1 + 1e-9) < 1.1 * optimum
    assert method.encoder_.shape == (4, 9) and method.decoder_.shape == (12, 4)


def test_shaped_pairs_give_shaped_signals(scan):
    _, X, Y, X_test, Y_test = scan
    method = TrainedLinearAutoencoder(30, epochs=30, rng=0).fit(X, Y)
    estimate = method.predict(Y_test)
    assert estimate.shape == X_test.shape
    assert np.linalg.norm(estimate - X_test) < 0.8 * np.linalg.norm(X_test)


def test_wrong_input_is_one_clear_sentence(scan):
    F, X, Y, _, _ = scan
    first = FilteredBackprojection(F).fit()
    with pytest.raises(InputError, match="at least two pairs"):
        UNetPostprocessor(first).fit(X[:3], Y[:2])
    with pytest.raises(InputError, match="all must be positive"):
        UNetPostprocessor(first, epochs=0).fit(X[:3], Y[:3])
    with pytest.raises(InputError, match="share of the pairs"):
        UNetPostprocessor(first, held_back=1.0).fit(X[:3], Y[:3])
    with pytest.raises(InputError, match="positive time"):
        UNetPostprocessor(first, max_seconds=0).fit(X[:3], Y[:3])
    with pytest.raises(InputError, match="at least one level"):
        UNetPostprocessor(first, widths=()).fit(X[:3], Y[:3])
    with pytest.raises(InputError, match="measurements has shape"):
        UNetPostprocessor(first).fit(X[:3], Y[:3, :-1])
    with pytest.raises(InputError, match="rank=300"):
        TrainedLinearAutoencoder(300).fit(X, Y)
    with pytest.raises(NotFittedError):
        UNetPostprocessor(first).predict(Y)
    assert clone(TrainedLinearAutoencoder(3)).rank == 3


def test_trained_models_are_stored_and_come_back(scan, tmp_path):
    F, X, Y, _, Y_test = scan
    first = FilteredBackprojection(F).fit()
    models = [
        UNetPostprocessor(first, widths=(4, 8), epochs=1, rng=0).fit(X[:20], Y[:20]),
        TrainedLinearAutoencoder(5, epochs=1, rng=np.random.default_rng(0)).fit(X, Y),
    ]
    for number, model in enumerate(models):
        again = load(save(model, tmp_path / f"{number}.h5"))
        np.testing.assert_allclose(again.predict(Y_test), model.predict(Y_test), rtol=1e-12)
        assert again.history_ == model.history_
        save(clone(model), tmp_path / f"{number}-unfitted.h5")
        with pytest.raises(NotFittedError):
            load(tmp_path / f"{number}-unfitted.h5").predict(Y_test)
