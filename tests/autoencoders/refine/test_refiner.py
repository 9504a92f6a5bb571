"""The patch-affine refiner against planted structure, closed forms and its own parts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor
from invae.autoencoders.refine.gate import Gate
from invae.autoencoders.refine.kernels import gather_patches
from invae.autoencoders.refine.layer import PatchMoments
from invae.autoencoders.refine.patches import PatchGrid
from invae.autoencoders.refine.refiner import PatchAffineRefiner
from invae.autoencoders.refine.symmetry import asymmetry
from invae.errors import InputError
from invae.linalg.priors import GaussianPrior
from invae.operators import Blur, GaussianNoise, Radon
from invae.persistence import load, save


def boxes(n, size, rng):
    """Images of bright rectangles on a dark ground, (n, size, size)."""
    grid = np.arange(size)
    images = np.zeros((n, size, size))
    for image in images:
        for _ in range(3):
            (a, b), (c, d) = np.sort(rng.integers(1, size - 1, (2, 2)), axis=1)
            image += rng.uniform(0.3, 1) * np.outer((grid >= a) & (grid <= b), (grid >= c) & (grid <= d))
    return images


def steps(n, size, rng):
    """Piecewise constant signals, (n, size)."""
    return np.cumsum((rng.random((n, size)) < 0.06) * rng.standard_normal((n, size)), axis=1)


def error(estimates, truth):
    return np.linalg.norm(estimates - truth) / np.linalg.norm(truth)


@pytest.fixture(scope="module")
def tomography():
    rng = np.random.default_rng(1)
    noise = GaussianNoise(relative=0.03)
    F = Radon(16, 12)
    linear = BayesRiskReconstructor(F, noise=noise, rank="full")
    refiner = PatchAffineRefiner(linear, n_stages=2, n_clusters=16, n_components=8, bounds=(0, None))
    refiner.fit(boxes(700, 16, rng))
    truth = boxes(60, 16, rng)
    return refiner, truth, noise.sample(F.apply(truth), 5)


def test_refinement_beats_its_linear_map_on_new_signals_in_two_dimensions(tomography):
    refiner, truth, measurements = tomography
    linear = np.maximum(refiner.reconstructor_.predict(measurements), 0)
    assert error(refiner.predict(measurements), truth) < 0.85 * error(linear, truth)


def test_refinement_beats_its_linear_map_in_one_dimension(rng):
    F, noise = Blur(64, 1.5), GaussianNoise(0.05)
    refiner = PatchAffineRefiner(BayesRiskReconstructor(F, noise=noise), n_clusters=16, patch=11, n_stages=2)
    refiner.fit(steps(800, 64, rng))
    truth = steps(100, 64, rng)
    measurements = noise.sample(F.apply(truth), 1)
    linear = refiner.reconstructor_.predict(measurements)
    assert error(refiner.predict(measurements), truth) < 0.92 * error(linear, truth)


def test_out_of_fold_errors_tell_the_error_on_new_signals(tomography):
    refiner, truth, measurements = tomography
    assert np.all(np.diff(refiner.errors_) < 0)
    assert error(refiner.predict(measurements), truth) == pytest.approx(refiner.errors_[-1], rel=0.15)


def test_gaussian_signals_leave_nothing_to_refine(rng):
    """For a Gaussian prior the linear map is already best, so layers must not pretend to gain."""
    prior = GaussianPrior.matern((16, 16), 4.0, smoothness=1.5)
    F, noise = Radon(16, 12), GaussianNoise(0.5)
    linear = BayesRiskReconstructor(F, noise=noise, prior=prior)
    refiner = PatchAffineRefiner(linear, n_stages=1, n_clusters=4).fit(prior.sample(400, rng))
    truth = prior.sample(200, rng)
    measurements = noise.sample(F.apply(truth), 3)
    refined, before = refiner.predict(measurements), refiner.reconstructor_.predict(measurements)
    assert error(refined, truth) == pytest.approx(error(before, truth), rel=0.02)


def test_one_gate_with_a_full_core_is_ridge_regression(rng):
    grid = PatchGrid((9, 7), (3, 5), (3, 3), (1, 2))
    images = rng.standard_normal((30, 1, 9, 7))
    wanted = rng.standard_normal((30, 9, 7))
    gate = Gate.fit(images, grid, 1, 3, 10_000, rng)
    moments = PatchMoments(gate, grid, 1, 2)
    moments.add(images, wanted, 0)
    layer = moments.solve(1e-9, 0.0)
    rows, targets = [], []
    for image, target in zip(
        grid.mirror(images)[:, 0], np.pad(wanted, ((0, 0), (1, 1), (1, 1)), mode="symmetric")
    ):
        for i in grid.centres[0]:
            for j in grid.centres[1]:
                patch = image[i : i + 3, j : j + 5].ravel()
                rows.append(np.append(patch - patch.mean(), 1.0))
                targets.append(target[i : i + 3, j : j + 3].ravel())
    direct = np.linalg.lstsq(np.array(rows), np.array(targets), rcond=None)[0]
    np.testing.assert_allclose(
        np.array(rows)[:, :-1] @ layer.maps[0] + layer.offsets[0], np.array(rows) @ direct, atol=1e-5
    )
    # Overlap: the average of all cores that cover a pixel.
    total, count = np.zeros((9, 7)), np.zeros((9, 7))
    for (i, j), row in zip(((i, j) for i in grid.centres[0] for j in grid.centres[1]), np.array(rows)):
        block = (row @ direct).reshape(3, 3)
        for a in range(3):
            for b in range(3):
                if 0 <= i + a - 1 < 9 and 0 <= j + b - 1 < 7:
                    total[i + a - 1, j + b - 1] += block[a, b]
                    count[i + a - 1, j + b - 1] += 1
    np.testing.assert_array_equal(count, grid.counts)
    np.testing.assert_allclose(layer.correct(images[:1])[0], total / count, atol=1e-5)


def test_gates_are_the_nearest_leaves_below_the_nearest_roots(rng):
    grid = PatchGrid((8, 8), (5, 5), (3, 3), (2, 2))
    images = rng.standard_normal((20, 2, 8, 8))
    gate = Gate.fit(images[:, :1], grid, 11, 4, 10_000, rng)
    assert gate.leaves.shape[:2] == (3, 4) and gate.size == 12
    patches = np.empty((20 * grid.n_patches, 50))
    _, labels = gate.assign(grid.mirror(images), grid, patches)
    at = 0
    for image in grid.mirror(images)[:, 0]:
        for i in grid.centres[0]:
            for j in grid.centres[1]:
                patch = image[i : i + 5, j : j + 5].ravel()
                patch = patch - patch.mean()
                spread = np.sqrt(np.mean(patch**2)) + gate.floor
                code = np.append(patch @ gate.basis / spread, gate.weight * np.log(spread))
                root = np.argmin(((gate.roots - code) ** 2).sum(axis=1))
                leaf = np.nanargmin(((gate.leaves[root] - code) ** 2).sum(axis=1))
                assert labels[at] == 4 * root + leaf
                at += 1


def test_turned_patches_point_the_same_way_and_corrections_turn_back(rng):
    grid = PatchGrid((10, 10), (5, 5), (3, 3), (1, 1), symmetric=True)
    images = rng.standard_normal((40, 2, 10, 10))
    patches = np.empty((40 * grid.n_patches, 50))
    turns, _ = gather_patches(grid.mirror(images), grid, patches)
    down, right = grid.slopes @ patches[:, :25].T
    assert set(turns) == set(range(8))
    assert np.all(down >= right - 1e-12) and np.all(right >= -1e-12)
    gate = Gate.fit(images[:, :1], grid, 6, 4, 10_000, rng)
    moments = PatchMoments(gate, grid, 2, 2)
    moments.add(images, rng.standard_normal((40, 10, 10)), 0)
    layer = moments.solve(1e-3)
    corrections = layer.correct(images)
    for turn in (np.flipud, np.fliplr, np.transpose):
        turned = np.array([[turn(channel) for channel in image] for image in images])
        np.testing.assert_allclose(
            layer.correct(turned), np.array([turn(image) for image in corrections]), atol=1e-10
        )


def test_flips_are_the_symmetry_of_a_line(rng):
    grid = PatchGrid((1, 30), (1, 7), (1, 3), (1, 2), symmetric=True)
    signals = rng.standard_normal((20, 1, 1, 30))
    patches = np.empty((20 * grid.n_patches, 7))
    turns, _ = gather_patches(grid.mirror(signals), grid, patches)
    assert set(turns) == {0, 2}
    assert np.all(grid.slopes[1] @ patches.T >= -1e-12)


@pytest.mark.parametrize(
    "operator, symmetric",
    [
        (Radon(24, 12), True),
        (Radon(24, angles=np.linspace(0, 1.5, 12)), False),
        (Blur((24, 20), 1.5), True),
        (Blur((24, 24), kernel=np.full((1, 7), 1 / 7)), False),
        (Blur(30, 1.5), True),
    ],
)
def test_symmetry_is_that_of_the_operator(operator, symmetric):
    assert (asymmetry(operator) < 0.1) == symmetric


def test_a_fitted_reconstructor_is_taken_as_it_is(rng):
    F, noise = Blur((12, 12), 1.5), GaussianNoise(0.05)
    linear = BayesRiskReconstructor(F, noise=noise).fit(boxes(100, 12, rng))
    refiner = PatchAffineRefiner(linear, n_stages=1, n_clusters=4, prefit=True).fit(boxes(60, 12, rng))
    assert refiner.reconstructor_ is linear and refiner.symmetric_
    assert refiner.errors_[1] < refiner.errors_[0]
    with pytest.raises(NotFittedError):
        PatchAffineRefiner(BayesRiskReconstructor(F, noise=noise), prefit=True).fit(boxes(20, 12, rng))


@pytest.mark.parametrize("dims, core, stride", [((13, 9), 5, 2), ((8, 8), 3, 3), ((1, 20), 1, 1)])
def test_cores_cover_every_pixel(dims, core, stride):
    sides = [(1 if size == 1 else value) for value in (core, stride) for size in dims]
    grid = PatchGrid(dims, tuple(sides[:2]), tuple(sides[:2]), tuple(sides[2:]))
    assert grid.counts.min() >= 1
    assert grid.n_patches == len(grid.centres[0]) * len(grid.centres[1])


def test_a_sharper_map_of_the_residual_is_kept_where_noise_is_strong(rng):
    signals, noise = boxes(300, 16, rng), GaussianNoise(relative=0.2)
    linear = BayesRiskReconstructor(Radon(16, 12), noise=noise, rank="full")
    refiner = PatchAffineRefiner(linear, n_stages=1, n_clusters=8, sharpness=0.25).fit(signals)
    same = clone(refiner).set_params(sharpness=1.0).fit(signals)
    assert (refiner.sharpness_, same.sharpness_) == (0.25, 1.0)
    assert refiner.errors_[0] == same.errors_[0] and refiner.errors_[1] != same.errors_[1]
    chosen = clone(refiner).set_params(sharpness="auto").fit(signals)
    best = min((refiner, same), key=lambda one: one.errors_[1])
    assert chosen.errors_[1] == pytest.approx(best.errors_[1], rel=0.02)


def test_bounds_hold_everywhere(tomography):
    refiner, _, measurements = tomography
    assert refiner.predict(measurements).min() >= 0
    free = clone(refiner).set_params(bounds=None, n_stages=1).fit(boxes(60, 16, np.random.default_rng(0)))
    assert free.predict(measurements).min() < 0


def test_shapes_and_dtypes_follow_the_measurements(tomography):
    refiner, _, measurements = tomography
    shaped, flat = refiner.predict(measurements), refiner.predict(measurements.reshape(60, -1))
    assert shaped.shape == (60, 16, 16) and flat.shape == (60, 256) and shaped.dtype == np.float64
    np.testing.assert_array_equal(shaped.reshape(60, -1), flat)
    single = refiner.predict(measurements.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, shaped, atol=2e-2)
    assert np.median(np.abs(single - shaped)) < 1e-5


def test_a_stored_refiner_predicts_the_same(tomography, tmp_path):
    refiner, _, measurements = tomography
    again = load(save(refiner, tmp_path / "refiner.h5"))
    np.testing.assert_array_equal(again.predict(measurements), refiner.predict(measurements))
    assert again.get_params(deep=False)["bounds"] == (0, None)


def test_the_same_seed_gives_the_same_layers(rng):
    signals = boxes(60, 12, rng)
    linear = BayesRiskReconstructor(Blur((12, 12), 1.0), noise=0.05)
    first, second = (
        PatchAffineRefiner(linear, n_stages=1, n_clusters=5, rng=3).fit(signals) for _ in range(2)
    )
    np.testing.assert_array_equal(first.layers_[0].maps, second.layers_[0].maps)


def test_pairs_without_an_operator_are_enough(rng):
    signals = boxes(80, 12, rng)
    pairs = Blur((12, 12), 1.0).apply(signals) + 0.05 * rng.standard_normal(signals.shape)
    refiner = PatchAffineRefiner(BayesRiskReconstructor(), n_stages=1, n_clusters=5).fit(signals, pairs)
    assert refiner.predict(pairs).shape == signals.shape


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"patch": 6}, "odd"),
        ({"core": 9}, "core"),
        ({"stride": 7}, "stride"),
        ({"n_folds": 1}, "out of fold"),
        ({"n_stages": 0}, "n_stages"),
        ({"ridge": 0.0}, "ridge"),
        ({"bounds": (0,)}, "pair"),
        ({"bounds": (2, 1)}, "hold no value"),
        ({"max_images": 1}, "max_images=1"),
        ({"symmetry": "round"}, "symmetry"),
        ({"sharpness": 0.0}, "sharpness"),
        ({"n_folds": 50}, "too few"),
        ({"reconstructor": None}, "BayesRiskReconstructor"),
    ],
)
def test_wrong_parameters_are_refused(parameters, message, rng):
    linear = BayesRiskReconstructor(Blur((12, 12), 1.0), noise=0.05)
    refiner = PatchAffineRefiner(**{"reconstructor": linear, **parameters})
    with pytest.raises(InputError, match=message):
        refiner.fit(boxes(20, 12, rng))


def test_a_gate_with_few_patches_borrows_from_its_neighbours(rng):
    grid = PatchGrid((8, 8), (5, 5), (3, 3), (2, 2))
    images = rng.standard_normal((12, 1, 8, 8))
    moments = PatchMoments(Gate.fit(images, grid, 4, 3, 10_000, rng), grid, 1, 2)
    moments.add(images, rng.standard_normal((12, 8, 8)), 0)
    alone, alike = moments.solve(1e-3, 0.0), moments.solve(1e-3, 1e9)
    leaves = moments.gate.leaves.shape[1]
    assert np.abs(np.diff(alone.maps[:leaves], axis=0)).max() > 1e-2
    np.testing.assert_allclose(alike.maps[0], alike.maps[1], atol=1e-5)
