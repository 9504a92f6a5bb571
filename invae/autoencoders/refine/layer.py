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

from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from invae.autoencoders.refine.gate import Gate
from invae.autoencoders.refine.kernels import map_patches, sort_labels, turn_rows
from invae.autoencoders.refine.patches import PatchGrid, padded
from invae.linalg.casts import Casts
from invae.linalg.threads import in_threads, one_thread

__all__ = ["PatchAffineLayer", "PatchMoments"]

CHUNK = 32  # images a thread works on at a time: thousands of patches for long products, in a small buffer


class PatchMoments:
    """Second moments of patches and wanted corrections, for each gate and fold, in the images' precision."""

    def __init__(
        self, gate: Gate, grid: PatchGrid, n_channels: int, n_folds: int, dtype: np.typing.DTypeLike = float
    ) -> None:
        self.gate, self.grid = gate, grid
        n_gates, size = gate.size, n_channels * grid.window[0] * grid.window[1] + 1
        self.power = np.zeros((n_folds, n_gates, size, size), dtype)
        self.cross = np.zeros((n_folds, n_gates, size, grid.core[0] * grid.core[1]), dtype)

    def add(self, images: np.ndarray, corrections: np.ndarray, fold: int) -> None:
        """Count images (B, C, rows, cols) with the corrections (B, rows, cols) wanted of them."""
        with one_thread():  # thousands of small products: threads of BLAS would only wait for each other
            for first in range(0, len(images), 4 * CHUNK):
                self._add(images[first : first + 4 * CHUNK], corrections[first : first + 4 * CHUNK], fold)

    def _add(self, images: np.ndarray, corrections: np.ndarray, fold: int) -> None:
        grid = self.grid
        patches = np.ones((len(images) * grid.n_patches, self.power.shape[-1]), images.dtype)
        turns, labels = self.gate.assign(grid.mirror(images), grid, patches)
        wanted = _cores(grid, corrections)
        turn_rows(wanted, turns, grid.turns(grid.core))
        order, ends = sort_labels(labels, self.gate.size)
        patches, wanted = patches[order], wanted[order]
        for k in range(self.power.shape[1]):
            p = patches[ends[k] : ends[k + 1]]
            if len(p):
                self.power[fold, k] += p.T @ p
                self.cross[fold, k] += p.T @ wanted[ends[k] : ends[k + 1]]

    def solve(self, ridge: float, borrow: float = 30.0, without: int | None = None) -> PatchAffineLayer:
        """The layer of least squares over all folds, or over all but one.

        `ridge` and `borrow` as in `PatchAffineRefiner`.
        """
        with one_thread():
            return self._solve(ridge, borrow, without)

    def _solve(self, ridge: float, borrow: float, without: int | None) -> PatchAffineLayer:
        folds = [f for f in range(len(self.power)) if f != without]
        power, cross = (part[folds].sum(axis=0) for part in (self.power, self.cross))
        n_leaves = self.gate.leaves.shape[1]
        n_gates, size, n_core = cross.shape
        maps = np.zeros((n_gates, size, n_core))
        for first in range(0, n_gates, n_leaves):
            below = slice(first, first + n_leaves)
            root_power, root_cross = (part[below].sum(axis=0, dtype=float) for part in (power, cross))
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
        maps = maps.astype(np.float32)  # as precise as the data, and half as large in a file
        return PatchAffineLayer(self.grid, self.gate, maps[:, :-1], maps[:, -1])


class PatchAffineLayer:
    """Images (B, C, rows, cols) -> corrections (B, rows, cols) of channel 0, overlapping cores averaged."""

    def __init__(self, grid: PatchGrid, gate: Gate, maps: np.ndarray, offsets: np.ndarray) -> None:
        self.grid, self.gate = grid, gate
        self.maps, self.offsets = np.ascontiguousarray(maps), np.ascontiguousarray(offsets)

    def correct(self, images: np.ndarray) -> np.ndarray:
        """Corrections (B, rows, cols) of images (B, C, rows, cols), float32 or float64 kept."""
        grid, dtype = self.grid, images.dtype
        maps, offsets = self._casts(dtype)
        up, left = (side // 2 for side in grid.core)
        rows, columns = grid.dims[0] + 2 * up, grid.dims[1] + 2 * left
        corners = (grid.centres[0][:, None] * columns + grid.centres[1]).ravel()
        table = grid.turns(grid.core)
        table = table // grid.core[1] * columns + table % grid.core[1]
        out = np.empty((len(images), *grid.dims), dtype)

        def work(first: int, last: int) -> None:
            mirrored = grid.mirror(images[first:last])
            patches = np.zeros(((last - first) * grid.n_patches, maps.shape[1]), dtype)
            turns, labels = self.gate.assign(mirrored, grid, patches)
            order, ends = sort_labels(labels, self.gate.size)
            places = (np.arange(last - first)[:, None] * (rows * columns) + corners).ravel()
            sums = np.zeros((last - first, rows, columns), dtype)
            map_patches(patches, turns, order, ends, maps, offsets, places, table, sums.reshape(-1))
            out[first:last] = sums[:, up : rows - up, left : columns - left]

        with one_thread():
            in_threads(work, len(images), CHUNK)
        out /= grid.counts.astype(dtype)
        return out

    def to_state(self) -> dict[str, Any]:
        """Gate and arrays, for storing."""
        return {"gate": self.gate.to_state(), "maps": self.maps, "offsets": self.offsets}

    @classmethod
    def from_state(cls, state: dict[str, Any], grid: PatchGrid) -> PatchAffineLayer:
        return cls(grid, Gate(**state["gate"]), state["maps"], state["offsets"])

    @cached_property
    def _casts(self) -> Casts:
        maps = padded(self.maps, self.maps.dtype)
        offsets = np.zeros((len(maps), maps.shape[2]), maps.dtype)
        offsets[:, : self.offsets.shape[1]] = self.offsets
        return Casts(maps, offsets)


def _cores(grid: PatchGrid, images: np.ndarray) -> np.ndarray:
    """Cores (B * patches, core size) of images (B, rows, cols), mirrored at the border."""
    target = PatchGrid(grid.dims, grid.core, grid.core, grid.stride)
    rows, columns = grid.centres
    views = np.lib.stride_tricks.sliding_window_view(target.mirror(images[:, None])[:, 0], grid.core, (1, 2))
    return views[:, rows][:, :, columns].reshape(len(images) * grid.n_patches, -1)
