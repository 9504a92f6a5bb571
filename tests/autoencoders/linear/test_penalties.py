from __future__ import annotations

import numpy as np
import pytest
import torch

from invae.autoencoders.linear import penalties


@pytest.fixture
def weights(rng):
    return [torch.tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((3, 7), (7, 3))]


def test_product_is_the_norm_of_the_map_and_the_price_of_white_noise(weights, rng):
    A = (weights[1] @ weights[0]).detach().numpy()
    value = penalties.product(*weights).item()
    assert value == pytest.approx(np.sum(A**2))
    noise = rng.standard_normal((200_000, 7))
    assert value == pytest.approx(np.mean(np.sum((noise @ A.T) ** 2, axis=1)), rel=0.02)


def test_decay_of_balanced_weights_is_twice_the_nuclear_norm(rng):
    U, s, Vt = np.linalg.svd(rng.standard_normal((6, 6)))
    W1, W2 = torch.tensor(np.sqrt(s)[:, None] * Vt), torch.tensor(U * np.sqrt(s))
    assert float(penalties.decay(W1, W2)) == pytest.approx(2 * s.sum())
    assert float(penalties.decay(W1, W2, 0.5)) == pytest.approx(s.sum())
    assert float(penalties.contractive(W1, W2)) == pytest.approx(s.sum())


def test_expected_l1_is_the_mean_over_gaussian_signals(rng):
    E, B = rng.standard_normal((4, 6)), rng.standard_normal((6, 3))
    x = rng.standard_normal((100_000, 3)) @ B.T
    value = float(penalties.expected_l1(torch.tensor(E), torch.tensor(B)))
    assert value == pytest.approx(np.mean(np.abs(x @ E.T).sum(axis=1)), rel=0.01)
    assert float(penalties.expected_l1(torch.tensor(E), torch.tensor(B), 0.1)) > value


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_gradients_are_finite_differences(weights, name):
    assert torch.autograd.gradcheck(penalties.PENALTIES[name], weights)


def test_atoms_get_unit_norm(weights):
    np.testing.assert_allclose(penalties.unit_atoms(weights[1]).detach().norm(dim=0).numpy(), 1.0)
