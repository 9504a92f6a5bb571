"""One layer of a piecewise-affine map: patches gated by clustering, one ridge-affine map for each gate.

For patches p with gate k(p), and d the wanted correction of the core,

    min_{M_k, b_k}  sum_{p: k(p) = k} || M_k p + b_k - d ||^2 + ridge tr(G_k) / size ||M_k||_F^2,

G_k the second moment of the gate's patches: a closed form for each gate. Without data a map is zero, so the
ridge draws the layer towards the identity. The moments are kept for each fold apart: the maps that have not
seen a fold follow from sums, without another pass over the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from invae.autoencoders.patches import (
    PatchGrid,
    gather_patches,
    in_threads,
    label_patches,
    map_patches,
    padded,
)

__all__ = ["Gate", "PatchAffineLayer", "PatchMoments"]

CHUNK = 16  # images a thread works on at a time
FLAT = 0.05  # floor of the spread, as a share of its root mean square
WEIGHT = 1.0  # of the logarithm of the spread in the code


@dataclass(frozen=True)
class Gate:
    """Which map a patch goes to.

    Attributes
    ----------
    basis : ndarray of shape (window size, components)
        Leading principal components of centred patches.
    centroids : ndarray of shape (K, components + 1)
        Of the codes.
    floor : float
        Spread below which a patch counts as flat, in the signal's units.
    weight : float
        Weight of the logarithm of the spread in the code.
    """

    basis: np.ndarray
    centroids: np.ndarray
    floor: float
    weight: float

    @classmethod
    def fit(
        cls,
        images: np.ndarray,
        grid: PatchGrid,
        n_clusters: int,
        n_components: int,
        max_patches: int,
        rng: np.random.Generator,
    ) -> Gate:
        """K-means on the codes of patches of images (B, 1, rows, cols)."""
        from sklearn.cluster import MiniBatchKMeans

        rows, columns = grid.centres
        size = grid.window[0] * grid.window[1]
        patches = np.empty((len(images) * grid.n_patches, size), images.dtype)
        gather_patches(grid.mirror(images), rows, columns, grid.window, patches)
        if len(patches) > max_patches:
            patches = patches[rng.choice(len(patches), max_patches, replace=False)]
        power = (patches.T @ patches).astype(np.float64) / len(patches)
        components = min(n_components, size - 1)
        basis = np.linalg.eigh(power)[1][:, ::-1][:, :components]
        floor = FLAT * float(np.sqrt(np.trace(power) / size)) + np.finfo(np.float32).tiny
        spread = np.sqrt(np.einsum("ij,ij->i", patches, patches, dtype=np.float64) / size) + floor
        codes = np.column_stack([patches @ basis / spread[:, None], WEIGHT * np.log(spread)])
        n_clusters = min(n_clusters, len(codes))
        means = MiniBatchKMeans(
            n_clusters,
            random_state=int(rng.integers(2**31)),
            n_init=1,
            batch_size=4096,
            max_iter=30,
            reassignment_ratio=0.0,
        ).fit(codes)
        return cls(np.ascontiguousarray(basis), means.cluster_centers_.astype(np.float64), floor, WEIGHT)

    def labels(self, mirrored: np.ndarray, grid: PatchGrid) -> np.ndarray:
        """Gates (B * patches,) of mirrored images (B, C, ., .)."""
        labels = np.empty(len(mirrored) * grid.n_patches, np.int64)
        basis, centroids, half_norms = self.tables(mirrored.dtype)
        arguments = (basis, self.floor, self.weight, centroids, half_norms)
        label_patches(mirrored, *grid.centres, grid.window, *arguments, labels)
        return labels

    def tables(self, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Basis, centroids and half of their squared norms as the kernels want them."""
        basis = padded(self.basis, dtype)
        components = self.basis.shape[1]
        centroids = np.zeros((basis.shape[1] + 1, len(self.centroids)))
        centroids[:components] = self.centroids.T[:components]
        centroids[-1] = self.centroids.T[-1]  # the logarithm follows the padded components
        centroids = padded(centroids, dtype)
        half_norms = np.full(centroids.shape[1], np.inf, dtype)  # columns of no gate are infinitely far
        half_norms[: len(self.centroids)] = 0.5 * np.einsum("ij,ij->i", self.centroids, self.centroids)
        return basis, centroids, half_norms


class PatchMoments:
    """Second moments of patches and wanted corrections, for each gate and fold."""

    def __init__(self, gate: Gate, grid: PatchGrid, n_channels: int, n_folds: int) -> None:
        self.gate, self.grid = gate, grid
        n_gates, size = len(gate.centroids), n_channels * grid.window[0] * grid.window[1] + 1
        self.power = np.zeros((n_folds, n_gates, size, size))
        self.cross = np.zeros((n_folds, n_gates, size, grid.core[0] * grid.core[1]))

    def add(self, images: np.ndarray, corrections: np.ndarray, fold: int) -> None:
        """Count images (B, C, rows, cols) with the corrections (B, rows, cols) wanted of them."""
        for first in range(0, len(images), 4 * CHUNK):
            self._add(images[first : first + 4 * CHUNK], corrections[first : first + 4 * CHUNK], fold)

    def _add(self, images: np.ndarray, corrections: np.ndarray, fold: int) -> None:
        grid = self.grid
        rows, columns = grid.centres
        size = self.power.shape[-1]
        mirrored = grid.mirror(images)
        labels = self.gate.labels(mirrored, grid)
        patches = np.ones((len(labels), size), images.dtype)
        gather_patches(mirrored, rows, columns, grid.window, patches)
        target = PatchGrid(grid.dims, grid.core, grid.core, grid.stride)
        wanted = _windows(target, corrections)
        order = np.argsort(labels, kind="stable")
        patches, wanted = patches[order], wanted[order]
        ends = np.searchsorted(labels[order], np.arange(self.power.shape[1] + 1))
        for k in range(self.power.shape[1]):
            p = patches[ends[k] : ends[k + 1]]
            if len(p):
                self.power[fold, k] += p.T @ p
                self.cross[fold, k] += p.T @ wanted[ends[k] : ends[k + 1]]

    def solve(self, ridge: float, without: int | None = None) -> PatchAffineLayer:
        """The layer of least squares over all folds, or over all but one."""
        folds = [f for f in range(len(self.power)) if f != without]
        power, cross = self.power[folds].sum(axis=0), self.cross[folds].sum(axis=0)
        n_gates, size, n_core = cross.shape
        maps = np.zeros((n_gates, size, n_core))
        for k in range(n_gates):
            if power[k, -1, -1] == 0:
                continue
            penalty = np.full(size, ridge * np.trace(power[k]) / size)
            penalty[-1] = 0.0  # the offset is free
            maps[k] = cho_solve(cho_factor(power[k] + np.diag(penalty)), cross[k])
        return PatchAffineLayer(self.grid, self.gate, maps[:, :-1], maps[:, -1])


class PatchAffineLayer:
    """Images (B, C, rows, cols) -> corrections (B, rows, cols) of channel 0, overlapping cores averaged."""

    def __init__(self, grid: PatchGrid, gate: Gate, maps: np.ndarray, offsets: np.ndarray) -> None:
        self.grid, self.gate = grid, gate
        self.maps, self.offsets = np.ascontiguousarray(maps), np.ascontiguousarray(offsets)
        self._casts: dict[str, tuple[np.ndarray, ...]] = {}

    def correct(self, images: np.ndarray) -> np.ndarray:
        """Corrections (B, rows, cols) of images (B, C, rows, cols), float32 or float64 kept."""
        grid, gate = self.grid, self.gate
        basis, centroids, half_norms, maps, offsets = self._arrays(images.dtype)
        gating = (basis, gate.floor, gate.weight, centroids, half_norms)
        out = np.zeros((len(images), *grid.dims), images.dtype)

        def work(first: int, last: int) -> None:
            patches = (grid.mirror(images[first:last]), *grid.centres, grid.window, grid.core)
            map_patches(*patches, *gating, maps, offsets, out[first:last])

        in_threads(work, len(images), CHUNK)
        out /= grid.counts.astype(images.dtype)
        return out

    def to_state(self) -> dict[str, Any]:
        gate = self.gate
        return {
            "basis": gate.basis,
            "centroids": gate.centroids,
            "floor": gate.floor,
            "weight": gate.weight,
            "maps": self.maps,
            "offsets": self.offsets,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], grid: PatchGrid) -> PatchAffineLayer:
        gate = Gate(state["basis"], state["centroids"], state["floor"], state["weight"])
        return cls(grid, gate, state["maps"], state["offsets"])

    def _arrays(self, dtype: np.dtype) -> tuple[np.ndarray, ...]:
        key = np.dtype(dtype).str
        if key not in self._casts:
            maps = padded(self.maps, dtype)
            offsets = np.zeros((len(maps), maps.shape[2]), dtype)
            offsets[:, : self.offsets.shape[1]] = self.offsets
            self._casts[key] = (*self.gate.tables(dtype), maps, offsets)
        return self._casts[key]


def _windows(grid: PatchGrid, images: np.ndarray) -> np.ndarray:
    """Windows (B * patches, window size) of images (B, rows, cols), values as they are."""
    rows, columns = grid.centres
    mirrored = grid.mirror(images[:, None])[:, 0]
    views = np.lib.stride_tricks.sliding_window_view(mirrored, grid.window, (1, 2))
    return views[:, rows][:, :, columns].reshape(len(images) * grid.n_patches, -1)
