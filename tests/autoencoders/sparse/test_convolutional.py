from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from invae.autoencoders.sparse.autoencoder import SparseAutoencoder
from invae.autoencoders.sparse.convolutional import ConvolutionalSparseAutoencoder
from invae.autoencoders.sparse.diagnostics import l1_path, sparsity_report
from invae.autoencoders.sparse.kernel_dictionary import KernelDictionary
from invae.autoencoders.sparse.kernel_learning import KernelStatistics, shift_coherence
from invae.errors import InputError


@parametrize_with_checks(
    [
        ConvolutionalSparseAutoencoder(3, n_epochs=2, n_steps=4, rng=0),
        ConvolutionalSparseAutoencoder(2, encoder="omp", n_nonzero=4, n_epochs=2, rng=0),
    ]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def planted(rng, size=(9,), shape=(80,), N=300, K=3, rate=0.02):
    """Signals made of a few windowed noise kernels at random places."""
    kernels = rng.standard_normal((K, *size))
    for axis, s in enumerate(size):
        window = np.hanning(s + 2)[1:-1]
        kernels *= window.reshape(-1, *(1,) * (len(size) - 1 - axis))
    kernels /= np.linalg.norm(kernels.reshape(K, -1), axis=1).reshape(-1, *(1,) * len(size))
    D = KernelDictionary(kernels, shape)
    Z = rng.standard_normal((N, K, *D.grid)) * (rng.random((N, K, *D.grid)) < rate)
    return D.decode(Z), kernels


def best_match(kernel, learned):
    """Largest |cosine| of a kernel with a learned one that may be larger and moved."""
    shape = learned.shape[1:]
    D = KernelDictionary(kernel[None], shape)
    return np.abs(D.correlate(learned)).max()


@pytest.mark.parametrize("options", [{}, {"encoder": "omp", "n_nonzero": 6}])
def test_planted_kernels_of_curves_are_recovered(rng, options):
    X, kernels = planted(rng)
    ae = ConvolutionalSparseAutoencoder(
        5, 13, 0.05, center=False, n_epochs=19, tol=0.0, rng=1, **options
    ).fit(X)
    assert min(best_match(kernel, ae.decoder_) for kernel in kernels) > 0.95


def test_planted_kernels_of_frames_are_recovered(rng):
    X, kernels = planted(rng, (5, 4), (24, 20), N=60, K=2, rate=0.01)
    ae = ConvolutionalSparseAutoencoder(3, (7, 6), 0.02, center=False, n_epochs=25, tol=0.0, rng=0).fit(X)
    assert min(best_match(kernel, ae.decoder_) for kernel in kernels) > 0.95
    Z = ae.transform(X)
    assert Z.shape == (60, 3, 30, 25) and ae.predict(X).shape == X.shape
    flat = ConvolutionalSparseAutoencoder(
        3, (7, 6), 0.02, shape=(24, 20), center=False, n_epochs=25, tol=0.0, rng=0
    ).fit(X.reshape(60, -1))
    np.testing.assert_array_equal(flat.decoder_, ae.decoder_)
    assert flat.transform(X.reshape(60, -1)).shape == (60, 3 * 30 * 25)
    assert flat.predict(X.reshape(60, -1)).shape == (60, 480)


def test_loss_falls_norms_stay_and_a_fit_is_reproducible(rng):
    X, _ = planted(rng, N=150)
    a, b = (ConvolutionalSparseAutoencoder(4, 11, 0.1, n_epochs=12, rng=3).fit(X) for _ in range(2))
    assert a.loss_path_[-1] < 0.8 * a.loss_path_[0]
    assert (np.diff(a.loss_path_) < 0.01 * a.loss_path_[0]).all()
    assert np.array_equal(a.decoder_, b.decoder_) and np.array_equal(a.transform(X), b.transform(X))
    np.testing.assert_allclose(np.linalg.norm(a.decoder_, axis=1), 1)
    assert (np.diff(a.usage_) <= 0).all()


@pytest.mark.parametrize("boundary", ["open", "periodic"])
def test_a_pass_over_the_kernels_never_raises_the_error(rng, boundary):
    kernels = rng.standard_normal((4, 3, 5))
    kernels /= np.linalg.norm(kernels.reshape(4, -1), axis=1)[:, None, None]
    D = KernelDictionary(kernels, (14, 12), boundary)
    Z = rng.standard_normal((6, 4, *D.grid)) * (rng.random((6, 4, *D.grid)) < 0.2)
    X = rng.standard_normal((6, 14, 12))
    sums = KernelStatistics(4, (3, 5))
    sums.add(D, X - D.decode(Z), Z)
    errors = [((X - D.decode(Z)) ** 2).sum()]
    for _ in range(30):
        sums.improve(kernels)
        errors.append(((X - KernelDictionary(kernels, (14, 12), boundary).decode(Z)) ** 2).sum())
    assert (np.diff(errors) <= 1e-9 * errors[0]).all() and errors[-1] < 0.95 * errors[0]


def test_dead_kernels_return_to_use(rng):
    X, kernels = planted(rng, K=2)
    ae = ConvolutionalSparseAutoencoder(2, 9, 0.05, center=False, n_epochs=1, rng=0).fit(X)
    # a kernel that no signal wants: it alternates
    ae.decoder_ = np.stack([kernels[0], np.resize([1.0, -1.0], 9) / 3])
    ae.set_params(warm_start=True, n_epochs=25, tol=0.0, penalty=0.2).fit(X)
    assert (ae.usage_ > 0).all() and best_match(kernels[1], ae.decoder_) > 0.9


def test_moved_details_have_moved_codes_where_whole_atoms_know_only_places_seen(rng):
    """What shift invariance is for: signals whose details lie where none lay in training."""
    X, _ = planted(rng, N=400, rate=0.01)
    left, right = X.copy(), X.copy()
    left[:, 40:], right[:, :40] = 0, 0
    options = {"center": False, "encoder": "omp", "n_nonzero": 8, "tolerance": 0.01, "rng": 0}
    moved = ConvolutionalSparseAutoencoder(4, 11, n_epochs=6, **options).fit(left)
    whole = SparseAutoencoder(60, n_epochs=10, **options).fit(left)
    errors = [((ae.predict(right) - right) ** 2).sum() / (right**2).sum() for ae in (moved, whole)]
    assert errors[0] < 0.1 and errors[1] > 0.9


def test_heavier_penalty_means_fewer_codes_and_larger_error(rng):
    X, _ = planted(rng, N=60)
    ae = ConvolutionalSparseAutoencoder(4, 9, n_epochs=5, rng=0).fit(X)
    path = l1_path(ae, X, [0.01, 0.1, 0.5], n_steps=100)
    assert path[0]["active"] < path[1]["active"] < path[2]["active"]
    assert path[0]["relative_error"] > path[1]["relative_error"] > path[2]["relative_error"]
    report = sparsity_report(ae, X)
    assert report["dead"] == 0 and report["active"] <= report["active_max"]
    assert report["coherence"] == pytest.approx(shift_coherence(ae.decoder_)) and report["coherence"] <= 1


def test_stops_early_and_goes_on_from_a_warm_start(rng):
    X, _ = planted(rng, N=100)
    calls = []
    ae = ConvolutionalSparseAutoencoder(
        3, 9, n_epochs=100, tol=0.02, rng=0, progress=lambda *a: calls.append(a)
    ).fit(X)
    assert ae.n_iter_ < 60 and calls == [(i + 1, 100) for i in range(ae.n_iter_)]
    best = ae.loss_path_[-1]
    ae.set_params(warm_start=True, n_epochs=2).fit(X)
    assert ae.loss_path_[0] < 1.2 * best


@pytest.mark.parametrize("options", [{}, {"encoder": "omp", "n_nonzero": 6}, {"boundary": "periodic"}])
def test_model_file_gives_the_same_codes(rng, tmp_path, options):
    from invae.persistence import load, save

    X, _ = planted(rng, N=40)
    ae = ConvolutionalSparseAutoencoder(3, 9, n_epochs=2, rng=0, **options).fit(X)
    back = load(save(ae, tmp_path / "model.h5"))
    np.testing.assert_array_equal(back.transform(X), ae.transform(X))
    np.testing.assert_array_equal(back.predict(X), ae.predict(X))


def test_dtype_is_kept_and_input_is_not_changed(rng):
    X = planted(rng, N=50)[0].astype(np.float32)
    before = X.copy()
    ae = ConvolutionalSparseAutoencoder(3, 9, n_epochs=2, rng=0).fit(X)
    assert ae.transform(X).dtype == np.float32 and ae.predict(X).dtype == np.float32
    assert np.array_equal(X, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "lista"}, "encoder"),
        ({"n_kernels": 0}, "n_kernels"),
        ({"kernel_size": 9}, "kernel_size"),
        ({"kernel_size": (2, 2)}, "kernel_size"),
        ({"boundary": "reflective"}, "boundary"),
        ({"penalty": -1.0}, "penalty"),
        ({"n_nonzero": 0}, "n_nonzero"),
        ({"shape": (2, 3)}, "shape"),
    ],
)
def test_wrong_settings_are_named(options, message):
    with pytest.raises(InputError, match=message):
        ConvolutionalSparseAutoencoder(**options).fit(np.eye(8))


def test_frames_of_another_shape_are_refused(rng):
    ae = ConvolutionalSparseAutoencoder(2, 3, n_epochs=1, rng=0).fit(rng.standard_normal((4, 6, 8)))
    with pytest.raises(InputError, match="shape"):
        ae.transform(rng.standard_normal((4, 8, 6)))
