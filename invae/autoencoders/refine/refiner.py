"""A piecewise-affine autoencoder in closed form, behind a linear one.

A linear reconstructor is the best affine map of a measurement; what it leaves is not Gaussian: edges are
blurred, flat parts wavy. `PatchAffineRefiner` adds layers of local affine maps,

    u_0 = x_hat(y),    u_{l+1} = P_C( u_l + mean over patches p of  M_{k(p)} p + b_{k(p)} ),

where p runs over overlapping patches of the images [u_l, A (y - F u_l)]: the estimate, and what the linear
map A makes of the residual, which tells each patch how far the estimate contradicts the data (the first layer
may do better with a sharper map, one for less noise). The gate k(p) is a leaf of a tree of centroids, given
by the patch's code, a few principal components: encoder, gate and decoder of a piecewise-affine autoencoder,
whose pieces are all least squares. Where the operator treats an image and its mirror images alike, so does
the layer: patches are turned to a common orientation first. P_C clips to given bounds, or is the identity.

Every layer is fitted out of fold: its input are reconstructions of signals that neither the linear map nor
the layers before have seen, so the layer corrects the errors of new data, not of the training set.
"""

from __future__ import annotations

import logging
import math
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from invae.autoencoders.refine.affine import AffineMap, noise_sampler
from invae.autoencoders.refine.gate import Gate
from invae.autoencoders.refine.layer import PatchAffineLayer, PatchMoments
from invae.autoencoders.refine.parameters import check_refiner
from invae.autoencoders.refine.patches import PatchGrid
from invae.autoencoders.refine.symmetry import asymmetry
from invae.errors import InputError
from invae.linalg.estimators import check_is_fitted
from invae.linalg.samples import as_rows, from_rows
from invae.persistence import StoredEstimator

__all__ = ["PatchAffineRefiner"]

logger = logging.getLogger(__name__)

BATCH = 256  # measurements whose images, with channels, are in memory at once
FEWEST = 200  # patches for each gate: twice the inputs of a map, two channels of 7 x 7
GATE_IMAGES = 1000  # images that the gates are grown on
GATE_PATCHES = 300_000  # of their patches: about 150 for each of 2048 gates, five times `gate.FEWEST`
SHARP = 0.25  # of the noise's deviation: the one other sharpness that is tried
TRIAL = 300, 64  # images and gates that decide between sharpness 1 and SHARP: a tenth of the fit's work
ASYMMETRY = 0.1  # of an operator that passes for symmetric: views that nearly map onto each other do


class Folds(NamedTuple):
    """Signals (N, n), noisy measurements (N, m), for each fold the map that has not seen it, and its rows."""

    truth: np.ndarray
    noisy: np.ndarray
    maps: list[AffineMap]
    members: list[np.ndarray]

    def sharper(self, share: float) -> Folds:
        """The same with maps for noise of this share of the standard deviation."""
        return self._replace(maps=[affine.sharper(share) for affine in self.maps])


class PatchAffineRefiner(StoredEstimator, BaseEstimator):
    """Staged patch-affine maps after a linear reconstructor, for signals in one or two dimensions.

    Parameters
    ----------
    reconstructor : BayesRiskReconstructor or similar
        Affine reconstructor with `fit(signals, measurements)` and `predict(measurements)`; never changed.
    n_stages : int, default 3
        Layers. The first brings most of the gain.
    n_clusters : int, default 2048
        Gates of a layer at most; fewer when there are not 200 patches for each.
    patch, core, stride : int, default 7, 5, 2
        Side of the window that a map reads, of the block that it writes (both odd), and the distance of
        neighbouring patches; stride <= core.
    n_components : int, default 16
        Principal components in the gate's code.
    ridge : float, default 3e-4
        Penalty relative to the mean power of a patch's entries.
    borrow : float, default 30.0
        How many patches' worth of its neighbours' moments a gate adds to its own.
    n_folds : int, default 3
        Parts of the training set that are left out in turn.
    consistency : bool or "auto"
        Whether the layers also see A (y - F u). "auto": when the reconstructor has an operator and factors.
    sharpness : float or "auto"
        The first layer sees the residual through the map for noise of this share of its standard deviation.
        "auto": 1 or 1/4, by a small trial.
    symmetry : {"auto", "square", None}, default "auto"
        Whether flips (and, of images, the transpose) of a signal are as likely as the signal, seen as well,
        and its patches are turned to a common orientation. "auto": where the operator commutes with them to
        within 10 %.
    bounds : (float or None, float or None), optional
        Least and largest value that a signal can have, imposed after every layer; (0, None) is
        non-negativity.
    max_images : int, default 3000
        Signals that the layers are fitted to; the reconstructor gets all.
    prefit : bool, default False
        The reconstructor is fitted already, on other signals than those of `fit`, and is taken as it is.
    rng : int, Generator or None, default 0
        Draws folds, noise and clusters.

    Attributes
    ----------
    reconstructor_ : the reconstructor, fitted to all signals
    layers_ : list of PatchAffineLayer
    sharpness_ : float
    symmetric_ : bool
    errors_ : ndarray of shape (n_stages + 1,)
        Out-of-fold root mean square error relative to that of zero, before and after each layer.

    Raises
    ------
    InputError
        Parameters out of range, too few signals for the folds, or shapes that do not fit.

    Notes
    -----
    Measurements and noise follow the reconstructor: if it has a noise model, the measurements of `fit` are
    clean (or made by its operator) and noise is drawn for the layers; if it has none, they are taken as they
    are.

    Examples
    --------
    >>> from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor
    >>> from invae.operators import Blur, GaussianNoise
    >>> steps = np.cumsum(np.random.default_rng(0).random((300, 40)) < 0.1, axis=1).astype(float)
    >>> linear = BayesRiskReconstructor(Blur(40, 2.0), noise=GaussianNoise(0.05))
    >>> refiner = PatchAffineRefiner(linear, n_stages=1, n_clusters=4).fit(steps)
    >>> refiner.predict(linear.operator.apply(steps[:2])).shape, bool(np.diff(refiner.errors_)[0] < 0)
    ((2, 40), True)
    """

    def __init__(
        self,
        reconstructor: Any = None,
        *,
        n_stages: int = 3,
        n_clusters: int = 2048,
        patch: int = 7,
        core: int = 5,
        stride: int = 2,
        n_components: int = 16,
        ridge: float = 3e-4,
        borrow: float = 30.0,
        n_folds: int = 3,
        consistency: bool | str = "auto",
        sharpness: float | str = "auto",
        symmetry: str | None = "auto",
        bounds: tuple[float | None, float | None] | None = None,
        max_images: int = 3000,
        prefit: bool = False,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.reconstructor = reconstructor
        self.n_stages = n_stages
        self.n_clusters = n_clusters
        self.patch = patch
        self.core = core
        self.stride = stride
        self.n_components = n_components
        self.ridge = ridge
        self.borrow = borrow
        self.n_folds = n_folds
        self.consistency = consistency
        self.sharpness = sharpness
        self.symmetry = symmetry
        self.bounds = bounds
        self.max_images = max_images
        self.prefit = prefit
        self.rng = rng

    def fit(self, signals: np.ndarray, measurements: np.ndarray | None = None) -> PatchAffineRefiner:
        """Fit reconstructor and layers.

        Parameters
        ----------
        signals : ndarray of shape (N, n) or (N, *shape)
        measurements : ndarray of shape (N, m) or (N, *shape), optional
            None: the reconstructor's operator makes them.
        """
        check_refiner(self)
        rng = np.random.default_rng(self.rng)
        X, Y = self._pairs(signals, measurements)
        order = rng.permutation(len(X))
        fold = np.empty(len(X), int)
        fold[order] = np.arange(len(X)) % self.n_folds
        chosen = np.sort(order[: self.max_images])
        noise = noise_sampler(self.reconstructor.noise) if hasattr(self.reconstructor, "noise") else None
        noisy = (Y[chosen] if noise is None else noise(Y[chosen], rng)).astype(np.float32)
        truth = X[chosen].astype(np.float32)

        given = None if measurements is None else Y
        self.reconstructor_ = self._fitted(X, given, np.ones(len(X), bool))
        if self.prefit or getattr(self.reconstructor, "prior", None) is not None:
            maps = [AffineMap(self.reconstructor_)] * self.n_folds  # it has not seen these signals
        else:
            maps = [AffineMap(self._fitted(X, given, fold != f)) for f in range(self.n_folds)]
        self.symmetric_ = self._is_symmetric()
        members = [np.flatnonzero(fold[chosen] == f) for f in range(self.n_folds)]
        self._fit_layers(Folds(truth, noisy, maps, members), rng)
        self._map = AffineMap(self.reconstructor_)
        return self

    def predict(self, measurements: np.ndarray) -> np.ndarray:
        """Signals (N, n) or (N, *shape) of measurements (N, m) or (N, *shape), float32 or float64 kept."""
        check_is_fitted(self, "layers_")
        rows, shaped = as_rows(measurements, self.shape_y_, "measurements")
        out = np.empty((len(rows), math.prod(self.shape_x_)), rows.dtype)
        for first in range(0, len(rows), BATCH):
            y = rows[first : first + BATCH]
            u = self._clip(self._map.predict(y))
            for layer, share in zip(self.layers_, self._shares()):
                u = self._apply_layer(layer, u, self._images(u, y, self._map.sharper(share)))
            out[first : first + BATCH] = u
        return from_rows(out, self.shape_x_, shaped)

    def to_state(self) -> dict[str, Any]:
        state = super().to_state()
        if "layers_" in state["fitted"]:
            state["fitted"]["layers_"] = [layer.to_state() for layer in self.layers_]
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        model = super().from_state(state)
        if hasattr(model, "layers_"):
            grid = model._grid()
            model.layers_ = [PatchAffineLayer.from_state(layer, grid) for layer in state["fitted"]["layers_"]]
            model._map = AffineMap(model.reconstructor_)
        return model

    def _fit_layers(self, folds: Folds, rng: np.random.Generator) -> None:
        """Layer after layer on out-of-fold estimates."""
        truth = folds.truth
        u = np.empty_like(truth)
        for rows, affine in zip(folds.members, folds.maps):
            u[rows] = self._clip(affine.predict(folds.noisy[rows]))
        self.sharpness_ = self._chosen_sharpness(u, folds)
        self.layers_: list[PatchAffineLayer] = []
        errors = [_overall_error(u, truth)]
        for share in self._shares():
            layer, u = self._fit_layer(u, folds.sharper(share), self.n_clusters, rng)
            self.layers_.append(layer)
            errors.append(_overall_error(u, truth))
            logger.info("layer %d: out-of-fold error %.4g", len(self.layers_), errors[-1])
        self.errors_ = np.array(errors)

    def _fit_layer(
        self, u: np.ndarray, folds: Folds, n_gates: int, rng: np.random.Generator
    ) -> tuple[PatchAffineLayer, np.ndarray]:
        """One layer, and the out-of-fold estimates behind it."""
        truth, noisy, maps, members = folds
        grid = self._grid()
        n_gates = max(1, min(n_gates, len(truth) * grid.n_patches // FEWEST))
        some = rng.choice(len(u), min(len(u), GATE_IMAGES), replace=False)
        flat = u[some].reshape(-1, 1, *grid.dims)
        gate = Gate.fit(flat, grid, n_gates, self.n_components, GATE_PATCHES, rng)
        images = [self._images(u[rows], noisy[rows], affine) for rows, affine in zip(members, maps)]
        moments = PatchMoments(gate, grid, images[0].shape[1], self.n_folds, u.dtype)
        for f, rows in enumerate(members):
            moments.add(images[f], (truth[rows] - u[rows]).reshape(-1, *grid.dims), f)
        refined = np.empty_like(u)
        for f, rows in enumerate(members):
            unseen = moments.solve(self.ridge, self.borrow, without=f)
            refined[rows] = self._apply_layer(unseen, u[rows], images[f])
        return moments.solve(self.ridge, self.borrow), refined

    def _chosen_sharpness(self, u: np.ndarray, folds: Folds) -> float:
        if not self._sees_residual or not folds.maps[0].can_sharpen:
            return 1.0
        if self.sharpness != "auto":
            return float(self.sharpness)
        n_images, n_gates = TRIAL
        most = n_images // len(folds.members)
        some = np.concatenate([rows[:most] for rows in folds.members])
        ends = np.cumsum([0] + [min(len(rows), most) for rows in folds.members])
        parts = [np.arange(first, last) for first, last in pairwise(ends)]
        trial = Folds(folds.truth[some], folds.noisy[some], folds.maps, parts)
        errors = {}
        for share in (1.0, SHARP):
            seed = np.random.default_rng(0)
            _, refined = self._fit_layer(u[some], trial.sharper(share), n_gates, seed)
            errors[share] = _overall_error(refined, trial.truth)
        logger.info("sharpness: out-of-fold errors %s", errors)
        return min(errors, key=lambda share: errors[share])

    def _shares(self) -> list[float]:
        """Sharpness of the map that each layer sees the residual through."""
        return [self.sharpness_] + [1.0] * (self.n_stages - 1)

    def _apply_layer(self, layer: PatchAffineLayer, u: np.ndarray, images: np.ndarray) -> np.ndarray:
        return self._clip(u + layer.correct(images).reshape(u.shape))

    def _images(self, u: np.ndarray, y: np.ndarray, affine: AffineMap) -> np.ndarray:
        """What the layers see: (N, channels, rows, cols) from estimates (N, n) and measurements (N, m)."""
        channels = [u]
        if self._sees_residual:
            channels.append(affine.linear(y - self._operator.apply(u)))
        return np.stack(channels, axis=1).reshape(len(u), len(channels), *self._grid().dims)

    @property
    def _operator(self) -> Any:
        return getattr(self.reconstructor, "operator", None)

    @property
    def _sees_residual(self) -> bool:
        if self.consistency == "auto":
            return hasattr(self._operator, "apply") and hasattr(self.reconstructor_, "encoder_")
        return bool(self.consistency)

    def _is_symmetric(self) -> bool:
        if self.symmetry != "auto" or not hasattr(self._operator, "apply_adjoint"):
            return self.symmetry == "square"
        return asymmetry(self._operator) <= ASYMMETRY

    def _grid(self) -> PatchGrid:
        flat = len(self.shape_x_) == 1
        dims = (1, self.shape_x_[0]) if flat else (self.shape_x_[0], self.shape_x_[1])
        window, core, stride = (
            (1, size) if flat else (size, size) for size in (self.patch, self.core, self.stride)
        )
        return PatchGrid(dims, window, core, stride, self.symmetric_)

    def _clip(self, u: np.ndarray) -> np.ndarray:
        return u if self.bounds is None or self.bounds == (None, None) else np.clip(u, *self.bounds)

    def _fitted(self, X: np.ndarray, Y: np.ndarray | None, rows: np.ndarray) -> Any:
        if self.prefit:
            check_is_fitted(self.reconstructor)
            return self.reconstructor
        model = clone(self.reconstructor)
        if getattr(model, "prior", None) is not None:
            return model.fit()  # it knows the prior and does not look at the samples
        return model.fit(X[rows], None if Y is None else Y[rows])

    def _pairs(self, signals: np.ndarray, measurements: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        operator = self._operator
        if operator is None:
            self.shape_x_ = tuple(np.shape(signals)[1:])
            self.shape_y_ = self.shape_x_ if measurements is None else tuple(np.shape(measurements)[1:])
        else:
            self.shape_x_, self.shape_y_ = tuple(operator.dims), tuple(operator.dimsd)
        if len(self.shape_x_) not in (1, 2):
            raise InputError(f"signals of shape {self.shape_x_}: patches are for one or two dimensions")
        X, _ = as_rows(signals, self.shape_x_, "signals")
        if len(X) < 2 * self.n_folds:
            raise InputError(
                f"{len(X)} signals are too few for n_folds={self.n_folds}; pass at least twice as many"
            )
        if measurements is None:
            return X, X if operator is None else operator.apply(X)
        Y, _ = as_rows(measurements, self.shape_y_, "measurements")
        if len(X) != len(Y):
            raise InputError(f"{len(X)} signals and {len(Y)} measurements are no pairs; pass as many of each")
        return X, Y


def _overall_error(u: np.ndarray, truth: np.ndarray) -> float:
    """||u - truth|| / ||truth|| of all signals as one vector."""
    return float(np.linalg.norm(u - truth) / max(np.linalg.norm(truth), np.finfo(np.float32).tiny))
