"""Gates: which of many affine maps a patch goes to, by a tree of centroids.

The code of a patch p, centred and turned, is

    [ V^T p_0 / (s + floor),  weight * log(s + floor) ],   s = root mean square of p_0,

p_0 its part of channel 0, and its gate the nearest leaf below the nearest root of a tree of centroids of
such codes. Many gates make sharp pieces; a tree of two levels makes them cheap: with sqrt(K) roots of sqrt(K)
leaves each, a code is compared with 2 sqrt(K) centroids instead of K.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from invae.autoencoders.refine.kernels import gather_patches, sort_labels
from invae.autoencoders.refine.patches import PatchGrid
from invae.linalg.casts import Casts

__all__ = ["Gate"]

FLAT = 0.05  # floor of the spread, as a share of its root mean square: below it a patch shows noise only
WEIGHT = 2.0  # of the logarithm of the spread: less than a pattern, of norm sqrt(window size), can tell
FEWEST = 30  # patches for each leaf when the tree is grown: a centroid of fewer is an accident


@dataclass(frozen=True)
class Gate:
    """Two levels of K-means on the codes of patches (see above).

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

    @cached_property
    def _casts(self) -> Casts:
        return Casts(self.basis, *_columns(self.roots), *_columns(self.leaves))

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
        gather_patches(grid.mirror(images), grid, patches)
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

    def assign(
        self, mirrored: np.ndarray, grid: PatchGrid, patches: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fill `patches` (B * patches, >= C * window size) from mirrored images (B, C, ., .).

        Returns their turns and gates, (B * patches,) each.
        """
        turns, spread = gather_patches(mirrored, grid, patches)
        basis, roots, root_norms, leaves, leaf_norms = self._casts(mirrored.dtype)
        spread += spread.dtype.type(self.floor)
        codes = np.empty((len(patches), len(roots)), mirrored.dtype)
        np.matmul(patches[:, : len(basis)], basis, out=codes[:, :-1])
        codes[:, :-1] /= spread[:, None]
        codes[:, -1] = self.weight * np.log(spread)
        order, ends = sort_labels(_nearest(codes, roots, root_norms), len(root_norms))
        codes = codes[order]
        labels = np.empty(len(patches), np.int64)
        for root, (first, last) in enumerate(pairwise(ends)):
            leaf = _nearest(codes[first:last], leaves[root], leaf_norms[root])
            labels[order[first:last]] = root * leaves.shape[2] + leaf
        return turns, labels

    def to_state(self) -> dict[str, Any]:
        """Arrays and numbers, for storing."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


def _columns(centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroids (..., K, n) as columns and half their squared norms, infinite where missing."""
    missing = np.isnan(centroids[..., 0])
    known = np.where(missing[..., None], 0.0, centroids)
    return np.swapaxes(known, -1, -2), np.where(missing, np.inf, 0.5 * np.sum(known**2, axis=-1))


def _nearest(codes: np.ndarray, columns: np.ndarray, half_norms: np.ndarray) -> np.ndarray:
    """Index (P,) of the nearest centroid of each code, that of the largest c . z - |c|^2 / 2."""
    score = codes @ columns
    score -= half_norms
    return score.argmax(axis=1)


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
