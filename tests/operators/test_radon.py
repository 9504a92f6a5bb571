"""Line integrals against independent projectors and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from invae.errors import InputError
from invae.operators import Radon


def disc(n, radius, x, y, sub=8):
    """Area share of each pixel in a disc."""
    fine = (np.arange(n * sub) + 0.5) / sub - n / 2
    inside = (fine[None, :] - x) ** 2 + (-fine[:, None] - y) ** 2 <= radius**2
    return inside.reshape(n, sub, n, sub).mean(axis=(1, 3))


@pytest.mark.parametrize("shape, n_angles", [((64, 64), 30), ((31, 40), 20)])
def test_agrees_with_astra(shape, n_angles, rng):
    astra = pytest.importorskip("astra")
    F = Radon(shape, n_angles)
    volume = astra.create_vol_geom(*shape)
    geometry = astra.create_proj_geom("parallel", 1.0, F.n_detectors, F.angles)
    projector = astra.create_projector("linear", geometry, volume)
    matrix = astra.projector.matrix(projector)
    reference = astra.matrix.get(matrix)
    astra.matrix.delete(matrix)
    astra.projector.delete(projector)
    x = rng.random(F.shape[1])
    expected = reference @ x
    assert np.abs(F @ x - expected).max() <= 1e-4 * np.abs(expected).max()  # ASTRA computes in float32


def test_agrees_with_scikit_image():
    from skimage.transform import radon

    n = 65  # odd: scikit-image turns about pixel n // 2, which then is the centre
    image = disc(n, 12.0, 6.0, -9.0) + 0.5 * disc(n, 7.0, -11.0, 8.0)
    angles = np.linspace(0, np.pi, 12, endpoint=False)
    expected = radon(image, np.degrees(angles), circle=True).T
    ours = Radon(n, angles=angles, n_detectors=n) @ image
    assert np.linalg.norm(ours - expected) <= 0.02 * np.linalg.norm(expected)


def test_sinogram_of_a_disc_is_the_chord_length():
    F = Radon(64, 24, detector_offset=0.3)
    x, y, radius = 7.0, 12.0, 14.0
    s = F.detector_positions[None, :] - x * np.cos(F.angles)[:, None] - y * np.sin(F.angles)[:, None]
    chord = 2 * np.sqrt(np.maximum(radius**2 - s**2, 0))
    sinogram = F @ disc(64, radius, x, y)
    assert np.linalg.norm(sinogram - chord) <= 0.03 * np.linalg.norm(chord)


def test_fan_sinogram_of_a_disc_is_the_chord_length():
    F = Radon(64, 24, geometry="fan", source_distance=120, detector_distance=80, detector_offset=0.4)
    x, y, radius = 7.0, 12.0, 14.0
    c, s = np.cos(F.angles)[:, None], np.sin(F.angles)[:, None]
    source = np.stack([-s * 120, c * 120])
    target = np.stack([s * 80 + c * F.detector_positions, -c * 80 + s * F.detector_positions])
    direction = target - source
    to_disc = np.array([x, y])[:, None, None] - source
    distance = np.abs(direction[0] * to_disc[1] - direction[1] * to_disc[0]) / np.hypot(*direction)
    chord = 2 * np.sqrt(np.maximum(radius**2 - distance**2, 0))
    sinogram = F @ disc(64, radius, x, y)
    assert np.linalg.norm(sinogram - chord) <= 0.03 * np.linalg.norm(chord)


def test_fan_with_a_far_source_is_parallel(rng):
    image = rng.random((16, 16))
    angles = np.linspace(0, np.pi, 7, endpoint=False)
    parallel = Radon(16, angles=angles, n_detectors=21)
    fan = Radon(16, angles=angles, n_detectors=21, geometry="fan", source_distance=1e7, detector_distance=0)
    np.testing.assert_allclose(fan @ image, parallel @ image, atol=1e-4)


def test_mass_is_kept_by_every_view_that_sees_the_object():
    image = disc(32, 9.0, 2.0, -3.0)
    sums = (Radon(32, 18) @ image).sum(axis=1)
    np.testing.assert_allclose(sums, image.sum(), rtol=5e-3)


def test_matrix_free_equals_the_matrix(rng):
    stored, free = Radon(24, 10), Radon(24, 10, matrix_free=True)
    X = rng.random((130, 576))
    np.testing.assert_allclose(free.apply(X), X @ stored.matrix.toarray().T, rtol=1e-12)
    np.testing.assert_allclose(free.apply(X[:1]), stored.apply(X[:1]), rtol=1e-12)


def test_views_keep_the_order_of_the_angles(rng):
    image = rng.random((16, 16))
    forwards, backwards = Radon(16, angles=[0.2, 1.1, 2.0]), Radon(16, angles=[2.0, 1.1, 0.2])
    np.testing.assert_array_equal(forwards @ image, (backwards @ image)[::-1])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"shape": 16}, "exactly one of n_angles"),
        ({"shape": 16, "n_angles": 3, "angles": [0.0]}, "exactly one"),
        ({"shape": 16, "n_angles": 0}, "at least 1"),
        ({"shape": 16, "n_angles": 5.5}, "n_angles=5.5"),
        ({"shape": 16.7, "n_angles": 5}, "shape=16.7"),
        ({"shape": "16", "n_angles": 5}, "shape='16'"),
        ({"shape": 16, "n_angles": 5, "n_detectors": 20.7}, "n_detectors=20.7"),
        ({"shape": 16, "n_angles": 5, "detector_offset": np.nan}, "detector_offset=nan"),
        ({"shape": 16, "n_angles": 3, "geometry": "fan", "source_distance": np.inf}, "at infinity"),
        ({"shape": 16, "angles": [np.nan]}, "finite"),
        ({"shape": (4, 4, 4), "n_angles": 3}, "signal shape"),
        ({"shape": 16, "n_angles": 3, "detector_spacing": 0}, "positive"),
        ({"shape": 16, "n_angles": 3, "geometry": "cone"}, "parallel"),
        ({"shape": 16, "n_angles": 3, "geometry": "fan"}, "needs source_distance, .* more than 11.31"),
        ({"shape": 16, "n_angles": 3, "geometry": "fan", "source_distance": 9}, "lies within the image"),
        (
            {"shape": 16, "n_angles": 3, "geometry": "fan", "source_distance": 40, "detector_distance": -1},
            "detector_distance=-1 must be >= 0",
        ),
        ({"shape": 16, "n_angles": 3, "source_distance": 50}, "fan"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Radon(**arguments)


def test_the_detector_of_a_fan_stands_at_the_centre_by_default():
    fan = Radon(16, 5, geometry="fan", source_distance=40)
    assert fan.detector_distance == 0.0 and Radon.from_state(fan.to_state()).detector_distance == 0.0


def test_the_fan_below_is_the_fan_of_astra():
    astra = pytest.importorskip("astra")
    x = np.zeros((32, 32))
    x[5:14, 8:25] = 1.0
    x[20:29, 4:12] = 2.0
    angles = np.arange(9) * 0.6 + 0.1
    detector = {"n_detectors": 90, "detector_spacing": 1.2}
    fan = {"geometry": "fan", "source_distance": 60.0, "detector_distance": 30.0}
    F = Radon(32, angles=angles, source_side="below", **fan, **detector)
    volume = astra.create_vol_geom(32, 32)
    beams = astra.create_proj_geom("fanflat", 1.2, 90, angles, 60.0, 30.0)
    projector = astra.create_projector("line_fanflat", beams, volume)
    number, sinogram = astra.create_sino(x, projector)
    astra.data2d.delete(number)
    astra.projector.delete(projector)
    y = F.apply(x[None])[0]
    assert np.linalg.norm(y - sinogram) < 0.03 * np.linalg.norm(sinogram)
    # The same lines from above: half a turn on, the detector read from its other end.
    above = Radon(32, angles=angles - np.pi, **fan, **detector)
    np.testing.assert_allclose(above.apply(x[None])[0][:, ::-1], y, atol=1e-11)
