"""One layer of a piecewise-affine map: patches gated by clustering, one ridge-affine map for each gate.

For patches p with gate k(p), and d the wanted correction of the core,

    min_{M_k, b_k}  sum_{p: k(p) = k} || M_k p + b_k - d ||^2 + ridge tr(G_k) / size ||M_k||_F^2,

G_k the second moment of the gate's patches: a closed form for each gate. To its own moments a gate adds
`borrow` patches' worth of those of all gates below the same root of its tree, so that gates may be many and
hold few patches each. Without data a map is zero, so the ridge draws the layer towards the identity. The
moments are kept for each fold apart: the maps that have not seen a fold follow from sums, without another
pass over the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from invae.autoencoders.gate import Gate
from invae.autoencoders.patches import PatchGrid, gather_patches, in_threads, map_patches, padded

__all__ = ["PatchAffineLayer", "PatchMoments"]

CHUNK = 16  # images a thread works on at a time


class PatchMoments:
    """Second moments of patches and wanted corrections, for each gate and fold."""

    def __init__(self, gate: Gate, grid: PatchGrid, n_channels: int, n_folds: int) -> None:
        self.gate, self.grid = gate, grid
        n_gates, size = gate.size, n_channels * grid.window[0] * grid.window[1] + 1
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

    def solve(self, ridge: float, borrow: float = 100.0, without: int | None = None) -> PatchAffineLayer:
        """The layer of least squares over all folds, or over all but one.

        `ridge` and `borrow` as in `PatchAffineRefiner`.
        """
        folds = [f for f in range(len(self.power)) if f != without]
        power, cross = self.power[folds].sum(axis=0), self.cross[folds].sum(axis=0)
        n_leaves = self.gate.leaves.shape[1]
        n_gates, size, n_core = cross.shape
        maps = np.zeros((n_gates, size, n_core))
        for first in range(0, n_gates, n_leaves):
            below = slice(first, first + n_leaves)
            root_power, root_cross = power[below].sum(axis=0), cross[below].sum(axis=0)
            if root_power[-1, -1] == 0:
                continue
            share = borrow / root_power[-1, -1]
            for k in range(first, first + n_leaves):
                if power[k, -1, -1] == 0:
                    continue
                G, C = power[k] + share * root_power, cross[k] + share * root_cross
                penalty = np.full(size, ridge * np.trace(G) / size)
                penalty[-1] = 0.0  # the offset is free
                maps[k] = cho_solve(cho_factor(G + np.diag(penalty)), C)
        return PatchAffineLayer(self.grid, self.gate, maps[:, :-1], maps[:, -1])


class PatchAffineLayer:
    """Images (B, C, rows, cols) -> corrections (B, rows, cols) of channel 0, overlapping cores averaged."""

    def __init__(self, grid: PatchGrid, gate: Gate, maps: np.ndarray, offsets: np.ndarray) -> None:
        self.grid, self.gate = grid, gate
        self.maps, self.offsets = np.ascontiguousarray(maps), np.ascontiguousarray(offsets)
        self._casts: dict[str, tuple[Any, np.ndarray, np.ndarray]] = {}

    def correct(self, images: np.ndarray) -> np.ndarray:
        """Corrections (B, rows, cols) of images (B, C, rows, cols), float32 or float64 kept."""
        grid = self.grid
        tables, maps, offsets = self._arrays(images.dtype)
        out = np.zeros((len(images), *grid.dims), images.dtype)

        def work(first: int, last: int) -> None:
            patches = (grid.mirror(images[first:last]), *grid.centres, grid.window, grid.core)
            map_patches(*patches, tables, maps, offsets, out[first:last])

        in_threads(work, len(images), CHUNK)
        out /= grid.counts.astype(images.dtype)
        return out

    def to_state(self) -> dict[str, Any]:
        return {"gate": self.gate.to_state(), "maps": self.maps, "offsets": self.offsets}

    @classmethod
    def from_state(cls, state: dict[str, Any], grid: PatchGrid) -> PatchAffineLayer:
        return cls(grid, Gate(**state["gate"]), state["maps"], state["offsets"])

    def _arrays(self, dtype: np.dtype) -> tuple[Any, np.ndarray, np.ndarray]:
        key = np.dtype(dtype).str
        if key not in self._casts:
            maps = padded(self.maps, dtype)
            offsets = np.zeros((len(maps), maps.shape[2]), dtype)
            offsets[:, : self.offsets.shape[1]] = self.offsets
            self._casts[key] = (self.gate.tables(dtype), maps, offsets)
        return self._casts[key]


def _windows(grid: PatchGrid, images: np.ndarray) -> np.ndarray:
    """Windows (B * patches, window size) of images (B, rows, cols), values as they are."""
    rows, columns = grid.centres
    mirrored = grid.mirror(images[:, None])[:, 0]
    views = np.lib.stride_tricks.sliding_window_view(mirrored, grid.window, (1, 2))
    return views[:, rows][:, :, columns].reshape(len(images) * grid.n_patches, -1)
