"""Tomography: line integrals of an image, parallel or fan beam."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numba
import numpy as np
from scipy.sparse import csr_array

from invae.errors import InputError
from invae.linalg.samples import is_number, shown
from invae.linalg.threads import workers
from invae.operators.angles import view_angles
from invae.operators.base import Operator, as_dims
from invae.operators.joseph import JosephProducts, joseph_matrix, ray_table
from invae.operators.rays import detector_positions, fan_rays, parallel_rays

__all__ = ["Radon"]

LARGEST_MATRIX = 100_000_000  # coefficients; 12 bytes each
SMALLEST_BATCH = 8  # below, the sparse matrix is faster than the matrix-free kernels


class Radon(Operator):
    """X-ray transform by Joseph's method, with an exact adjoint.

    The image lies centred at the origin with unit pixels, x to the right, y upwards. In parallel geometry the
    ray of detector position s at angle theta is ``x cos(theta) + y sin(theta) = s`` (the convention of ASTRA
    and, about the pixel ``shape // 2`` instead of the centre, of scikit-image). In fan geometry source and
    flat detector turn anticlockwise about the centre, the detector's axis being (cos(theta), sin(theta)). At
    angle 0 the source stands above the image, at (0, source_distance), and the detector on the line y =
    -detector_distance; ``source_side="below"`` puts the source at (0, -source_distance) and the detector on
    the line y = detector_distance, which is the convention of ASTRA ("fanflat") and CIL. The two hold the
    same lines: the views of one at ``angles`` are those of the other at ``angles + pi``, the detector read
    from its other end (with -detector_offset).

    Parameters
    ----------
    shape : int or (int, int)
        Rows and columns of the image; one integer for a square.
    n_angles : int, optional
        Number of views, spread evenly over [0, pi) (parallel) or [0, 2 pi) (fan).
    angles : array_like of shape (n_angles,), optional
        Views in radians instead, any set and order.
    geometry : {"parallel", "fan"}
    n_detectors : int, optional
        Bins of the detector; by default as few as cover the image's diagonal.
    detector_spacing : float
        Distance of neighbouring bins, in pixels, measured on the detector.
    detector_offset : float
        Shift of the detector's centre along its axis, in pixels.
    source_distance, detector_distance : float, optional
        Fan geometry: distances of source and detector from the centre, in pixels. By default the detector
        stands at the centre (0), so that its bins measure lengths in the image.
    source_side : {"above", "below"}
        Fan geometry: where the source stands at angle 0.
    matrix_free : bool or "auto"
        Whether to do without the stored sparse matrix for single vectors; "auto": above 10^8 coefficients.
        Batches always go through matrix-free kernels with the same coefficients.

    Attributes
    ----------
    dims, dimsd : tuple
        (rows, cols) and (n_angles, n_detectors).
    angles : ndarray of shape (n_angles,)

    Raises
    ------
    InputError
        An argument is out of range, or both or neither of `n_angles` and `angles` are given.

    Examples
    --------
    >>> import numpy as np
    >>> F = Radon(64, 30)
    >>> F.dims, F.dimsd
    ((64, 64), (30, 91))
    >>> sinogram = F @ np.ones((64, 64))
    >>> round(float(sinogram[0, 45]), 3)
    64.0
    """

    def __init__(
        self,
        shape: int | tuple[int, int],
        n_angles: int | None = None,
        *,
        angles: np.ndarray | None = None,
        geometry: str = "parallel",
        n_detectors: int | None = None,
        detector_spacing: float = 1.0,
        detector_offset: float = 0.0,
        source_distance: float | None = None,
        detector_distance: float | None = None,
        source_side: str = "above",
        matrix_free: bool | str = "auto",
    ) -> None:
        dims = as_dims(shape, (1, 2))
        dims = dims if len(dims) == 2 else (dims[0], dims[0])
        if not isinstance(geometry, str) or geometry not in ("parallel", "fan"):
            raise InputError(f'geometry={shown(geometry)} is unknown; choose "parallel" or "fan"')
        self.geometry = geometry
        self.angles = view_angles(n_angles, angles, math.pi if geometry == "parallel" else 2 * math.pi)
        known = isinstance(source_side, str) and source_side in ("above", "below")
        if not known or (source_side == "below" and geometry == "parallel"):
            raise InputError(
                f'source_side={shown(source_side)}; choose "above" or "below" the image at angle 0, '
                'and "below" only with geometry="fan"'
            )
        self.source_side = source_side
        self.source_distance, self.detector_distance = _distances(
            geometry, source_distance, detector_distance, dims
        )
        if not (is_number(detector_spacing) and detector_spacing > 0 and is_number(detector_offset)):
            raise InputError(
                f"detector_spacing={shown(detector_spacing)} must be positive and "
                f"detector_offset={shown(detector_offset)} finite (in pixels)"
            )
        self.detector_spacing, self.detector_offset = float(detector_spacing), float(detector_offset)
        if n_detectors is None:
            n_detectors = math.ceil(self._shadow(math.hypot(*dims)) / self.detector_spacing)
        if not is_number(n_detectors, 1) or int(n_detectors) != n_detectors:
            raise InputError(f"n_detectors={shown(n_detectors)} must be an integer of at least 1")
        super().__init__(dims, (len(self.angles), int(n_detectors)))
        if not isinstance(matrix_free, (bool, np.bool_)) and not (
            isinstance(matrix_free, str) and matrix_free == "auto"
        ):
            raise InputError(f'matrix_free={shown(matrix_free)} is not True, False or "auto"')
        self.matrix_free = matrix_free
        size = 2 * self.shape[0] * max(dims)  # an upper bound of the number of coefficients
        self._stores = not matrix_free if matrix_free != "auto" else size <= LARGEST_MATRIX
        self._table = ray_table(self._rays(), dims)

    @property
    def n_detectors(self) -> int:
        """Bins of the detector."""
        return self.dimsd[1]

    @property
    def detector_positions(self) -> np.ndarray:
        """Centres of the bins along the detector's axis, in pixels, (n_detectors,)."""
        return detector_positions(self.n_detectors, self.detector_spacing, self.detector_offset)

    @cached_property
    def matrix(self) -> csr_array:
        """The operator as a sparse matrix (m, n), float64, built on first use."""
        return joseph_matrix(self._table, self.dims)

    def to_state(self) -> dict[str, Any]:
        return {
            "shape": list(self.dims),
            "angles": self.angles,
            "geometry": self.geometry,
            "n_detectors": self.n_detectors,
            "detector_spacing": self.detector_spacing,
            "detector_offset": self.detector_offset,
            "source_distance": self.source_distance,
            "detector_distance": self.detector_distance,
            "source_side": self.source_side,
            "matrix_free": self.matrix_free,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Radon:
        return cls(**state)

    def __repr__(self) -> str:
        degrees = np.degrees(self.angles)
        return (
            f"Radon({self.dims}, {len(degrees)} views {degrees.min():.4g}..{degrees.max():.4g} deg, "
            f"{self.n_detectors} detectors, {self.geometry})"
        )

    def _apply(self, rows: np.ndarray) -> np.ndarray:
        if self._stores and len(rows) < SMALLEST_BATCH:
            return np.ascontiguousarray((self.matrix @ rows.T).T, rows.dtype)
        return self._in_chunks(JosephProducts.forward, rows, self.shape[0])

    def _apply_adjoint(self, rows: np.ndarray) -> np.ndarray:
        if self._stores and len(rows) < SMALLEST_BATCH:
            return np.ascontiguousarray((self.matrix.T @ rows.T).T, rows.dtype)
        return self._in_chunks(JosephProducts.adjoint, rows, self.shape[1])

    def _in_chunks(self, product: Callable[..., None], rows: np.ndarray, width: int) -> np.ndarray:
        """Products of chunks of rows that fit the cache, shared among the threads that numba may use."""
        n_threads = numba.get_num_threads()
        largest = min(max(2**22 // self.shape[1], 8), 64)
        size = min(largest, max(16, -(-len(rows) // n_threads)))
        out = np.empty((len(rows), width), rows.dtype)

        def work(starts: range) -> None:
            if starts:
                kernel = JosephProducts(self._table, self.n_detectors, self.dims, size, rows.dtype)
            for first in starts:
                product(kernel, rows[first : first + size], out[first : first + size])

        shares = [range(size * k, len(rows), size * n_threads) for k in range(n_threads)]
        if len(rows) <= size or n_threads == 1:
            work(range(0, len(rows), size))
        else:
            with workers(n_threads) as map_:
                list(map_(work, shares))
        return out

    def _rays(self) -> np.ndarray:
        if self.source_distance is None or self.detector_distance is None:
            return parallel_rays(self.angles, self.detector_positions)
        side = 1 if self.source_side == "above" else -1
        distances = side * self.source_distance, side * self.detector_distance
        return fan_rays(self.angles, self.detector_positions, *distances)

    def _shadow(self, diameter: float) -> float:
        """Width on the detector of a centred disc."""
        if self.source_distance is None or self.detector_distance is None:
            return diameter
        tangent = (diameter / 2) / math.sqrt(self.source_distance**2 - (diameter / 2) ** 2)
        return 2 * tangent * (self.source_distance + self.detector_distance)


def _distances(
    geometry: str, source: float | None, detector: float | None, dims: tuple[int, ...]
) -> tuple[float | None, float | None]:
    if geometry == "parallel":
        if source is not None or detector is not None:
            raise InputError('source_distance and detector_distance belong to geometry="fan"')
        return None, None
    radius = math.hypot(*dims) / 2
    detector = 0.0 if detector is None else detector
    if source is None:
        raise InputError(
            "fan geometry needs source_distance, the pixels between source and centre: "
            f"more than {radius:.4g}, half the image's diagonal"
        )
    if not (is_number(source) and source > radius):
        raise InputError(
            f"source_distance={shown(source)} lies within the image or at infinity; it must exceed "
            f"{radius:.4g} pixels, half the image's diagonal"
        )
    if not is_number(detector, 0.0):
        raise InputError(
            f"detector_distance={shown(detector)} must be >= 0 pixels and finite, 0 being the centre"
        )
    return float(source), float(detector)
