from __future__ import annotations

import numpy as np
import pylops
import pytest
import pywt

from invae.classical import WaveletL1
from invae.classical.wavelet import OrthonormalWavelets
from invae.errors import InputError

# Few iterations are allowed on purpose; that predict says so has its own test.
pytestmark = pytest.mark.filterwarnings("ignore:.*see converged_:invae.errors.InvaeWarning")


@pytest.mark.parametrize(
    "dims, levels", [((16,), None), ((32, 16), 2), ((12, 20), 2), ((6, 8), 1), ((256,), 3)]
)
@pytest.mark.parametrize("wavelet", ["haar", "db3"])
def test_the_transform_is_orthonormal(dims, levels, wavelet):
    W = OrthonormalWavelets(dims, wavelet, levels)
    n = int(np.prod(dims))
    matrix = W.forward(np.eye(n)).reshape(n, n)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(n), atol=1e-10)
    np.testing.assert_allclose(W.inverse(W.forward(np.eye(n))), np.eye(n), atol=1e-10)


def test_the_transform_is_that_of_pywavelets():
    image = np.random.default_rng(0).standard_normal((32, 16))
    mine = OrthonormalWavelets((32, 16), "db2", 2).forward(image.reshape(1, -1))[0]
    theirs, _ = pywt.coeffs_to_array(pywt.wavedec2(image, "db2", mode="periodization", level=2))
    np.testing.assert_allclose(mine, theirs, atol=1e-12)


def test_denoising_is_soft_thresholding_of_the_details():
    y = np.random.default_rng(0).standard_normal((3, 64))
    method = WaveletL1(pylops.Identity(64), parameter=0.4, wavelet="haar", nonnegative=False, tol=1e-10).fit()
    W = method.transform_
    C = W.forward(y)
    wanted = W.inverse(C - W.details * np.clip(C, -0.4, 0.4))
    np.testing.assert_allclose(method.predict(y), wanted, atol=1e-7)


@pytest.mark.parametrize("nonnegative", [True, False])
def test_the_optimum_beats_every_perturbation(problem, nonnegative):
    F, _, Y, _ = problem
    weight = 0.03
    options = {"wavelet": "haar", "nonnegative": nonnegative, "max_iter": 20000, "tol": 1e-9}
    method = WaveletL1(F, parameter=weight, **options).fit()
    X = method.predict(Y)
    assert method.converged_.all()

    def objective(X):
        return 0.5 * ((X @ F.A.T - Y) ** 2).sum(1) + weight * method._seminorm(X)

    rng = np.random.default_rng(0)
    best = objective(X)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(10):
            moved = X + size * rng.standard_normal(X.shape)
            moved = np.maximum(moved, 0) if nonnegative else moved
            assert (objective(moved) > best).all()


def test_what_it_cannot_do_is_said():
    with pytest.raises(InputError, match="no orthogonal wavelet"):
        WaveletL1(pylops.Identity(16), wavelet="bior2.2").fit()
    with pytest.raises(InputError, match="halved 0 times"):
        WaveletL1(pylops.Identity(15)).fit()
    with pytest.raises(InputError, match="halved 4 times, not 5"):
        WaveletL1(pylops.Identity(16), levels=5).fit()
    with pytest.raises(InputError, match="one or two dimensions"):
        WaveletL1(pylops.Diagonal(np.ones((4, 4, 4)))).fit()
