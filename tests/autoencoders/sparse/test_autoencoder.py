from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from invae.autoencoders.linear.autoencoder import LinearAutoencoder
from invae.autoencoders.sparse.autoencoder import SparseAutoencoder
from invae.autoencoders.sparse.diagnostics import l1_path, sparsity_report
from invae.autoencoders.sparse.gaussian import gaussian_sparse_loss, gaussian_sparse_optimum
from invae.errors import InputError


@parametrize_with_checks(
    [
        SparseAutoencoder(n_epochs=3, n_steps=5, rng=0),
        SparseAutoencoder(4, encoder="omp", n_epochs=3, rng=0),
        SparseAutoencoder(4, encoder="threshold", n_epochs=3, n_steps=5, rng=0),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def planted(rng, n=16, l=24, k=2, N=3000, noise=0.0):
    D = rng.standard_normal((n, l))
    D /= np.linalg.norm(D, axis=0)
    Z = np.zeros((N, l))
    for z in Z:
        z[rng.choice(l, k, replace=False)] = rng.choice([-1, 1], k) * rng.uniform(0.5, 1.5, k)
    return Z @ D.T + noise * rng.standard_normal((N, n)), D


@pytest.mark.parametrize("encoder", ["omp", "fista"])
def test_planted_overcomplete_atoms_are_recovered(rng, encoder):
    X, D = planted(rng)
    options = {"n_nonzero": 2, "tolerance": 0.0} if encoder == "omp" else {"penalty": 0.05}
    ae = SparseAutoencoder(24, encoder=encoder, n_epochs=60, center=False, tol=0.0, rng=1, **options).fit(X)
    cosines = np.abs(D.T @ ae.decoder_).max(axis=1)
    assert (cosines > 0.95).mean() > 0.8


def test_loss_falls_and_a_fit_is_reproducible(rng):
    X, _ = planted(rng, N=600)
    a, b = (SparseAutoencoder(24, n_epochs=8, rng=3).fit(X) for _ in range(2))
    assert a.loss_path_[-1] < 0.7 * a.loss_path_[0]
    assert np.array_equal(a.decoder_, b.decoder_) and np.array_equal(a.transform(X), b.transform(X))
    np.testing.assert_allclose(np.linalg.norm(a.decoder_, axis=0), 1)
    assert (np.diff(a.usage_) <= 0).all()


def test_stops_early_when_nothing_is_gained_and_goes_on_from_a_warm_start(rng):
    X, _ = planted(rng, N=600)
    ae = SparseAutoencoder(24, n_epochs=200, tol=0.02, rng=0).fit(X)
    assert ae.n_iter_ < 100
    best = ae.loss_path_[-1]
    ae.set_params(warm_start=True, n_epochs=2).fit(X)
    assert ae.loss_path_[0] < 1.2 * best


def test_heavier_penalty_means_fewer_codes_and_larger_error(rng):
    X, _ = planted(rng, N=800, noise=0.02)
    ae = SparseAutoencoder(24, n_epochs=10, rng=0).fit(X)
    path = l1_path(ae, X, [0.01, 0.1, 0.5])
    assert [row["penalty"] for row in path] == [0.5, 0.1, 0.01]
    assert path[0]["active"] < path[1]["active"] < path[2]["active"]
    assert path[0]["relative_error"] > path[1]["relative_error"] > path[2]["relative_error"]


def test_threshold_encoder_is_sparse_where_a_linear_one_is_not(rng):
    X, _ = planted(rng, N=1500)
    ae = SparseAutoencoder(24, penalty=0.1, encoder="threshold", n_epochs=20, rng=0).fit(X)
    report = sparsity_report(ae, X)
    linear = np.abs(X @ np.linalg.pinv(ae.decoder_).T)
    dense = (linear > 1e-3 * linear.max(axis=1, keepdims=True)).sum(axis=1).mean()
    assert report["above_1e-3"] < 0.6 * dense and report["coherence"] < 1


def test_unrolled_encoder_nears_the_lasso_in_a_few_layers(rng):
    X, _ = planted(rng, N=1500)
    ae = SparseAutoencoder(24, penalty=0.1, encoder="lista", n_epochs=15, center=False, rng=0).fit(X)
    lista = -ae.score(X)
    ae.encoder = "fista"
    lasso = -ae.score(X)
    layers = len(ae.encoder_["levels"])
    from invae.autoencoders.sparse.dictionary import AtomDictionary
    from invae.autoencoders.sparse.lasso import fista, lasso_loss

    atoms = AtomDictionary(ae.decoder_)
    plain = lasso_loss(X, atoms, fista(X, atoms, ae.weight_, layers), ae.weight_).mean()
    assert lasso <= lista < plain


def test_overcomplete_sparse_codes_beat_pca_off_gaussian(rng):
    X, _ = planted(rng, N=2000)
    ae = SparseAutoencoder(24, encoder="omp", n_nonzero=2, tolerance=0.0, n_epochs=40, rng=0).fit(X)
    pca = LinearAutoencoder(4).fit(X)  # two codes and where they are, against four codes
    assert ((ae.predict(X) - X) ** 2).sum() < 0.5 * ((pca.predict(X) - X) ** 2).sum()


def test_on_gaussian_signals_no_linear_encoder_beats_soft_thresholded_pca(rng):
    """The no-go theorem: its closed form bounds every linear encoder, of any number of atoms, from below."""
    B = rng.standard_normal((5, 5))
    best = gaussian_sparse_optimum(B @ B.T, 1.0)
    assert gaussian_sparse_loss(best.encoder, best.decoder, B @ B.T, 1.0) == pytest.approx(best.value)
    for l in (5, 10, 20):
        for _ in range(20):
            D, E = rng.standard_normal((5, l)), 0.3 * rng.standard_normal((l, 5))
            assert gaussian_sparse_loss(E, D, B @ B.T, 1.0) >= best.value
    X = rng.standard_normal((4000, 5)) @ B.T
    for l in (10, 20):
        ae = SparseAutoencoder(l, penalty=0.3, n_epochs=10, center=False, rng=0).fit(X)
        Z = ae.transform(X)
        E = np.linalg.lstsq(X, Z, rcond=None)[0].T
        bound = gaussian_sparse_optimum(X.T @ X / len(X), ae.weight_).value
        # the best linear encoder on these atoms obeys the bound; the lasso's nonlinear codes need not
        assert gaussian_sparse_loss(E, ae.decoder_, X.T @ X / len(X), ae.weight_) >= bound


def test_dtype_is_kept_and_input_is_not_changed(rng):
    X = planted(rng, N=200)[0].astype(np.float32)
    before = X.copy()
    ae = SparseAutoencoder(24, n_epochs=3, rng=0).fit(X)
    assert ae.transform(X).dtype == np.float32 and ae.predict(X).dtype == np.float32
    assert np.array_equal(X, before)


def test_model_file_gives_the_same_codes(rng, tmp_path):
    from invae.persistence import load, save

    X, _ = planted(rng, N=200)
    for encoder in ("fista", "threshold"):
        ae = SparseAutoencoder(24, encoder=encoder, n_epochs=3, rng=0).fit(X)
        back = load(save(ae, tmp_path / f"{encoder}.h5"))
        assert np.array_equal(back.transform(X), ae.transform(X))


def test_progress_is_told(rng):
    calls = []
    X, _ = planted(rng, N=100)
    SparseAutoencoder(8, n_epochs=3, tol=0.0, rng=0, progress=lambda *a: calls.append(a)).fit(X)
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "magic"}, "encoder"),
        ({"n_atoms": 0}, "n_atoms"),
        ({"n_atoms": 2.5}, "n_atoms=2.5"),
        ({"penalty": -1.0}, "penalty"),
        ({"n_epochs": 0}, "n_epochs"),
    ],
)
def test_wrong_settings_are_named(options, message):
    with pytest.raises(InputError, match=message):
        SparseAutoencoder(**options).fit(np.eye(4))
