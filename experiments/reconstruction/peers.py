"""Other libraries' reconstructors behind our interface: ASTRA, scikit-image, pylops.

Each peer has ``fit(signals, measurements)``, which tunes its one setting (iterations, filter, weight) on
validation pairs, and ``predict(measurements)``. They take parallel-beam scans with the geometry of
`invae.Radon`; images and sinograms go over as float32 (ASTRA) or float64, one at a time, as these libraries
do it.

ASTRA and `Radon` share their geometry. scikit-image turns about the pixel ``size // 2`` instead of the
image's centre: its sinograms are shifted by the difference, view by view, with the exact phase in the
Fourier domain.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from invae.classical import WaveletL1
from invae.errors import InputError
from invae.evaluation import relative_error
from invae.linalg.samples import as_rows, from_rows
from invae.operators import Radon

__all__ = [
    "Astra",
    "PylopsCgls",
    "PylopsFista",
    "SkimageFbp",
    "SkimageSart",
    "available_peers",
    "have_astra",
]

ASTRA_FILTERS = ("ram-lak", "shepp-logan", "cosine", "hamming", "hann")
SKIMAGE_FILTERS = ("ramp", "shepp-logan", "cosine", "hamming", "hann")


def have_astra() -> bool:
    """Whether astra-toolbox is installed."""
    return importlib.util.find_spec("astra") is not None


def available_peers(operator: Radon, quick: bool = False) -> dict[str, Any]:
    """Unfitted peers for a parallel-beam scan, by the name for tables; ``quick`` leaves the slowest out."""
    peers: dict[str, Any] = {"scikit-image FBP": SkimageFbp(operator), "pylops CGLS": PylopsCgls(operator)}
    if have_astra():
        peers |= {f"ASTRA {name}": Astra(operator, name) for name in ("FBP", "CGLS", "SIRT")}
    if not quick:
        peers["scikit-image SART"] = SkimageSart(operator)
        peers["pylops FISTA, wavelets"] = PylopsFista(operator)
        if have_astra():
            peers["ASTRA SART"] = Astra(operator, "SART")
    return peers


class Peer:
    """Tuning by validation, and the bookkeeping of rows and shapes."""

    def __init__(self, operator: Radon) -> None:
        if not isinstance(operator, Radon) or operator.geometry != "parallel":
            raise InputError(f"{type(self).__name__} takes a parallel-beam Radon, got {operator!r}")
        self.operator = operator
        self.setting_: Any = None

    def fit(self, signals: np.ndarray, measurements: np.ndarray) -> Peer:
        """Choose the setting with the least mean relative error on validation pairs."""
        X, _ = as_rows(signals, tuple(self.operator.dims), "signals")
        Y, _ = as_rows(measurements, tuple(self.operator.dimsd), "measurements")
        errors: dict[Any, list[float]] = {}
        for x, y in zip(X, Y):
            for setting, estimate in self.candidates(y.reshape(self.operator.dimsd)):
                error = relative_error(estimate.reshape(1, -1), x[None])
                errors.setdefault(setting, []).append(float(error[0]))
        self.setting_ = min(errors, key=lambda setting: np.mean(errors[setting]))
        return self

    def predict(self, measurements: np.ndarray) -> np.ndarray:
        """Reconstruct one by one with the setting chosen."""
        Y, shaped = as_rows(measurements, tuple(self.operator.dimsd), "measurements")
        X = np.stack([self.solve(y.reshape(self.operator.dimsd), self.setting_).ravel() for y in Y])
        return from_rows(X.astype(Y.dtype), tuple(self.operator.dims), shaped)

    def candidates(self, y: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
        """(setting, image) for every setting that may be chosen."""
        raise NotImplementedError

    def solve(self, y: np.ndarray, setting: Any) -> np.ndarray:
        """Image of one sinogram (views, detectors)."""
        raise NotImplementedError


class Astra(Peer):
    """ASTRA on the CPU: "FBP" (filter tuned), "CGLS", "SIRT" or "SART" (iterations tuned; these two >= 0).

    Parameters
    ----------
    operator : Radon
    algorithm : {"FBP", "CGLS", "SIRT", "SART"}
    projector : {"linear", "line", "strip"}
        ASTRA's kernel.
    """

    def __init__(self, operator: Radon, algorithm: str = "SIRT", projector: str = "linear") -> None:
        super().__init__(operator)
        if not have_astra():
            raise InputError("astra-toolbox is not installed; install the extra `peers`")
        self.algorithm = algorithm
        self.projector = projector
        self.max_iter = {"FBP": 1, "CGLS": 60, "SIRT": 400, "SART": 60}[algorithm]

    def candidates(self, y: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
        if self.algorithm == "FBP":
            yield from ((name, self.solve(y, name)) for name in ASTRA_FILTERS)
            return
        with _AstraRun(self, y, None) as run:
            done = 0
            for k in _path(self.max_iter):
                run.advance(k - done)
                done = k
                yield k, run.image()

    def solve(self, y: np.ndarray, setting: Any) -> np.ndarray:
        with _AstraRun(self, y, setting) as run:
            run.advance(1 if self.algorithm == "FBP" else setting)
            return run.image()


class _AstraRun:
    """One ASTRA algorithm with its data; freed at the end."""

    def __init__(self, peer: Astra, y: np.ndarray, setting: Any) -> None:
        import astra

        F = peer.operator
        self._astra = astra
        volume = astra.create_vol_geom(*F.dims)
        beams = astra.create_proj_geom("parallel", F.detector_spacing, F.n_detectors, F.angles)
        self._projector = astra.create_projector(peer.projector, beams, volume)
        self._volume = astra.data2d.create("-vol", volume, 0.0)
        self._sinogram = astra.data2d.create("-sino", beams, np.ascontiguousarray(y, np.float32))
        config = astra.astra_dict(peer.algorithm)
        config["ProjectorId"] = self._projector
        config["ProjectionDataId"] = self._sinogram
        config["ReconstructionDataId"] = self._volume
        if peer.algorithm == "FBP":
            config["FilterType"] = setting
        elif peer.algorithm in ("SIRT", "SART"):
            config["option"] = {"MinConstraint": 0.0}
        self._algorithm = astra.algorithm.create(config)
        # SART in ASTRA counts views; ours are sweeps.
        self._unit = len(F.angles) if peer.algorithm == "SART" else 1

    def __enter__(self) -> _AstraRun:
        return self

    def __exit__(self, *_: object) -> None:
        self._astra.algorithm.delete(self._algorithm)
        self._astra.data2d.delete([self._volume, self._sinogram])
        self._astra.projector.delete(self._projector)

    def advance(self, iterations: int) -> None:
        self._astra.algorithm.run(self._algorithm, int(iterations) * self._unit)

    def image(self) -> np.ndarray:
        return self._astra.data2d.get(self._volume)


class _Skimage(Peer):
    def __init__(self, operator: Radon) -> None:
        super().__init__(operator)
        if operator.dims[0] != operator.dims[1] or operator.detector_spacing != 1.0:
            raise InputError("scikit-image reconstructs square images from detectors one pixel apart")
        angles = operator.angles
        # Its centre, size // 2, lies to the right of ours for even sizes, and below; y points up here.
        rows, columns = (size // 2 - (size - 1) / 2 for size in operator.dims)
        detector = operator.n_detectors // 2 - (operator.n_detectors - 1) / 2
        shift = detector + operator.detector_offset - (columns * np.cos(angles) - rows * np.sin(angles))
        length = 2 * operator.n_detectors
        self._phase = np.exp(-2j * np.pi * np.fft.rfftfreq(length) * shift[:, None])
        self._length = length
        self._theta = np.degrees(angles)

    def _sinogram(self, y: np.ndarray) -> np.ndarray:
        """In scikit-image's own geometry, (detectors, views)."""
        spectrum = np.fft.rfft(y.astype(np.float64), self._length, axis=1)
        moved = np.fft.irfft(spectrum * self._phase, self._length, axis=1)
        return np.ascontiguousarray(moved[:, : y.shape[1]].T)


class SkimageFbp(_Skimage):
    """`skimage.transform.iradon` with linear interpolation, the filter tuned."""

    def candidates(self, y: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
        yield from ((name, self.solve(y, name)) for name in SKIMAGE_FILTERS)

    def solve(self, y: np.ndarray, setting: Any) -> np.ndarray:
        from skimage.transform import iradon

        return iradon(
            self._sinogram(y),
            theta=self._theta,
            output_size=self.operator.dims[0],
            filter_name=setting,
            circle=False,
        )


class SkimageSart(_Skimage):
    """`skimage.transform.iradon_sart`, values >= 0, the number of sweeps tuned."""

    max_iter = 12

    def candidates(self, y: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
        sinogram, image = self._sinogram(y), None
        for k in range(1, self.max_iter + 1):
            image = self._sweep(sinogram, image)
            yield k, self._crop(image)

    def solve(self, y: np.ndarray, setting: Any) -> np.ndarray:
        sinogram = self._sinogram(y)
        image = self._sweep(sinogram, None)
        for _ in range(setting - 1):
            image = self._sweep(sinogram, image)
        return self._crop(image)

    def _sweep(self, sinogram: np.ndarray, image: np.ndarray | None) -> np.ndarray:
        from skimage.transform import iradon_sart

        return iradon_sart(sinogram, theta=self._theta, image=image, clip=(0.0, np.inf))

    def _crop(self, image: np.ndarray) -> np.ndarray:
        """Its images are as wide as the detector; ours share the centre."""
        size = self.operator.dims[0]
        first = image.shape[0] // 2 - size // 2
        return image[first : first + size, first : first + size]


class PylopsCgls(Peer):
    """`pylops.optimization.basic.cgls` with our operator, the number of iterations tuned."""

    max_iter = 60

    def candidates(self, y: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
        images: list[np.ndarray] = []
        self._run(y, self.max_iter, callback=lambda x: images.append(x.copy()))
        yield from enumerate(images, 1)

    def solve(self, y: np.ndarray, setting: Any) -> np.ndarray:
        return self._run(y, setting, callback=None)

    def _run(self, y: np.ndarray, iterations: int, callback: Any) -> np.ndarray:
        from pylops.optimization.basic import cgls

        y = y.astype(np.float64).ravel()
        zero = np.zeros(self.operator.shape[1])
        return cgls(self.operator, y, x0=zero, niter=iterations, tol=0.0, callback=callback)[0]


class PylopsFista(Peer):
    """`pylops.optimization.sparsity.fista` over Daubechies-4 wavelets, the weight tuned."""

    iterations = 200
    weights = tuple(np.geomspace(1e-4, 1e-1, 7))

    def __init__(self, operator: Radon) -> None:
        from pylops.signalprocessing import DWT2D

        super().__init__(operator)
        levels = len(WaveletL1(operator).fit().transform_._matrices)
        self._wavelets = DWT2D(operator.dims, wavelet="db4", level=levels)
        self._synthesis = operator @ self._wavelets.H
        self._step = 0.95 / float(np.real(self._synthesis.eigs(1, symmetric=False)[0])) ** 2

    def candidates(self, y: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
        yield from ((weight, self.solve(y, weight)) for weight in self.weights)

    def solve(self, y: np.ndarray, setting: Any) -> np.ndarray:
        from pylops.optimization.sparsity import fista

        y = y.astype(np.float64).ravel()
        eps = setting * 2 * np.abs(self._synthesis.H @ y).max()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = fista(self._synthesis, y, niter=self.iterations, eps=eps, alpha=self._step, tol=0.0)[0]
        return self._wavelets.H @ code


def _path(longest: int) -> list[int]:
    """1, 2, 3, ... in steps that grow by a quarter, up to ``longest``."""
    path = [1]
    while path[-1] < longest:
        path.append(min(longest, max(path[-1] + 1, round(1.25 * path[-1]))))
    return path
