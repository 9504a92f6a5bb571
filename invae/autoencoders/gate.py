"""Gates: which of many affine maps a patch goes to, found by a tree of centroids.

Many gates make sharp pieces; a tree of two levels makes them cheap: with sqrt(K) roots of sqrt(K) leaves
each, a code is compared with 2 sqrt(K) centroids instead of K.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from invae.autoencoders.patches import PatchGrid, gather_patches, label_patches, padded

__all__ = ["Gate"]

FLAT = 0.05  # floor of the spread, as a share of its root mean square
WEIGHT = 2.0  # of the logarithm of the spread in the code
FEWEST = 30  # patches for each leaf when the tree is grown


@dataclass(frozen=True)
class Gate:
    """Two levels of K-means on the codes of patches (see `patches`).

    Attributes
    ----------
    basis : ndarray of shape (window size, components)
        Leading principal components of centred patches.
    roots : ndarray of shape (R, components + 1)
        Centroids of all codes.
    leaves : ndarray of shape (R, L, components + 1)
        Centroids of the codes of each root; NaN where a root has fewer than L.
    floor : float
        Spread below which a patch counts as flat, in the signal's units.
    weight : float
        Weight of the logarithm of the spread in the code.
    """

    basis: np.ndarray
    roots: np.ndarray
    leaves: np.ndarray
    floor: float
    weight: float

    @classmethod
    def fit(
        cls,
        images: np.ndarray,
        grid: PatchGrid,
        n_gates: int,
        n_components: int,
        max_patches: int,
        rng: np.random.Generator,
    ) -> Gate:
        """Grow the tree on at most `max_patches` patches of images (B, 1, rows, cols)."""
        patches = np.empty((len(images) * grid.n_patches, math.prod(grid.window)), images.dtype)
        gather_patches(grid.mirror(images), *grid.centres, grid.window, patches)
        if len(patches) > max_patches:
            patches = patches[rng.choice(len(patches), max_patches, replace=False)]
        size = patches.shape[1]
        power = (patches.T @ patches).astype(np.float64) / len(patches)
        basis = np.ascontiguousarray(np.linalg.eigh(power)[1][:, ::-1][:, : min(n_components, size - 1)])
        floor = FLAT * float(np.sqrt(np.trace(power) / size)) + float(np.finfo(np.float32).tiny)
        spread = np.sqrt(np.einsum("ij,ij->i", patches, patches, dtype=np.float64) / size) + floor
        codes = np.column_stack([patches @ basis / spread[:, None], WEIGHT * np.log(spread)])

        n_roots = max(1, round(math.sqrt(n_gates)))
        n_leaves = -(-n_gates // n_roots)
        roots, members = _k_means(codes, n_roots, rng)
        leaves = np.full((len(roots), n_leaves, codes.shape[1]), np.nan)
        for root in range(len(roots)):
            own = codes[members == root]
            below = _k_means(own, n_leaves, rng)[0] if len(own) else roots[root : root + 1]
            leaves[root, : len(below)] = below
        return cls(basis, roots, leaves, floor, WEIGHT)

    @property
    def size(self) -> int:
        """Number of gates, R L."""
        return self.leaves.shape[0] * self.leaves.shape[1]

    def labels(self, mirrored: np.ndarray, grid: PatchGrid) -> np.ndarray:
        """Gates (B * patches,) of mirrored images (B, C, ., .)."""
        labels = np.empty(len(mirrored) * grid.n_patches, np.int64)
        label_patches(mirrored, *grid.centres, grid.window, self.tables(mirrored.dtype), labels)
        return labels

    def tables(self, dtype: np.dtype) -> tuple[Any, ...]:
        """Everything that the kernels want, padded and in their precision."""
        basis = padded(self.basis, dtype)
        roots, root_norms = _table(self.roots, self.basis.shape[1], basis.shape[1], dtype)
        leaves, leaf_norms = _table(self.leaves, self.basis.shape[1], basis.shape[1], dtype)
        return basis, self.floor, self.weight, roots, root_norms, leaves, leaf_norms, self.leaves.shape[1]

    def to_state(self) -> dict[str, Any]:
        return {
            "basis": self.basis,
            "roots": self.roots,
            "leaves": self.leaves,
            "floor": self.floor,
            "weight": self.weight,
        }


def _table(centroids: np.ndarray, n: int, width: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Centroids (..., K, n + 1) as padded columns and half their squared norms, infinite where missing."""
    missing = np.isnan(centroids[..., 0])
    known = np.where(missing[..., None], 0.0, centroids)
    columns = np.zeros((*centroids.shape[:-2], width + 1, centroids.shape[-2]))
    columns[..., :n, :] = np.swapaxes(known[..., :n], -1, -2)
    columns[..., width, :] = known[..., n]  # the logarithm follows the padded components
    table = padded(columns, dtype)
    norms = np.full((*table.shape[:-2], table.shape[-1]), np.inf, dtype)
    norms[..., : centroids.shape[-2]] = np.where(missing, np.inf, 0.5 * np.sum(known**2, axis=-1))
    return table, norms


def _k_means(codes: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """At most n centroids, as many as there are patches for, and the nearest one of each code."""
    from sklearn.cluster import MiniBatchKMeans

    n = max(1, min(n, len(codes) // FEWEST))
    if n == 1:
        return codes.mean(axis=0, keepdims=True), np.zeros(len(codes), int)
    means = MiniBatchKMeans(
        n,
        random_state=int(rng.integers(2**31)),
        n_init=1,
        batch_size=4096,
        max_iter=30,
        reassignment_ratio=0.0,
    ).fit(codes)
    return means.cluster_centers_.astype(np.float64), means.labels_
