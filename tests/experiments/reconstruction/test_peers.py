from __future__ import annotations

import numpy as np
import pytest

from experiments.reconstruction.peers import (
    Astra,
    PylopsCgls,
    PylopsFista,
    SkimageFbp,
    SkimageSart,
    available_peers,
    have_astra,
)
from invae.classical import Cgls
from invae.data.simulation.phantoms import random_ellipses
from invae.errors import InputError
from invae.operators import Heat, Radon

needs_astra = pytest.mark.skipif(not have_astra(), reason="astra-toolbox is not installed")
PEERS = {
    "skimage FBP": SkimageFbp,
    "skimage SART": SkimageSart,
    "pylops CGLS": PylopsCgls,
    "pylops FISTA": PylopsFista,
}
if have_astra():
    PEERS |= {
        f"ASTRA {name}": lambda F, name=name: Astra(F, name) for name in ("FBP", "CGLS", "SIRT", "SART")
    }


def scan(size, n_angles=40):
    F = Radon((size, size), n_angles)
    X = random_ellipses(4, (size, size), rng=0)
    clean = F.apply(X)
    return F, X, clean + 0.02 * clean.std() * np.random.default_rng(1).standard_normal(clean.shape)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("size", [24, 25])
def test_a_peer_sees_the_same_geometry(name, size):
    F, X, Y = scan(size)
    if name == "pylops FISTA" and size % 2:
        pytest.skip("its wavelets need even sides")
    peer = PEERS[name](F)
    if name == "pylops FISTA":
        peer.weights, peer.iterations = (1e-3, 1e-2), 100
    peer.fit(X[:2], Y[:2])
    estimate = peer.predict(Y[2:])
    assert estimate.shape == (2, size, size)
    error = np.linalg.norm(estimate - X[2:])
    # Half a pixel of shift would cost more than this.
    assert error < 0.25 * np.linalg.norm(X[2:])
    for axis in (1, 2):
        for step in (-1, 1):
            assert error < np.linalg.norm(np.roll(estimate, step, axis) - X[2:])


def test_the_number_of_iterations_is_that_of_our_own_validation():
    F, X, Y = scan(24)
    peer = PylopsCgls(F).fit(X, Y)
    ours = Cgls(F, parameter="validation", max_iter=60).fit(X, Y)
    assert peer.setting_ == ours.parameter_
    np.testing.assert_allclose(peer.predict(Y), ours.predict(Y), atol=1e-6)


@needs_astra
def test_sart_is_tuned_in_sweeps():
    F, X, Y = scan(24)
    peer = Astra(F, "SART").fit(X[:2], Y[:2])
    assert 1 <= peer.setting_ <= 30
    assert peer.predict(Y).min() >= 0


def test_available_peers_are_named_for_tables():
    F = Radon((16, 16), 8)
    assert {"scikit-image FBP", "pylops CGLS"} <= set(available_peers(F, quick=True))
    assert len(available_peers(F)) > len(available_peers(F, quick=True))


def test_other_operators_are_refused():
    with pytest.raises(InputError, match="parallel-beam Radon"):
        SkimageFbp(Heat((8, 8), time=0.1))
    with pytest.raises(InputError, match="square images"):
        SkimageFbp(Radon((8, 10), 4))
