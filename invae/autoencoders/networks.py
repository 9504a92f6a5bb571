"""Learned rivals of the closed forms: a U-Net behind a classical method, a trained linear autoencoder.

Both are estimators with ``fit(signals, measurements)`` and ``predict(measurements)``, trained by Adam on
the mean squared error within a stated budget of epochs or seconds; the weights kept are those with the
least error on pairs held back from training.

The U-Net is a residual post-processor, x_hat = a + N(a) with a = first.predict(y) (Jin, McCann, Froustey,
Unser 2017, IEEE Trans. Image Process. 26). The linear autoencoder is x_hat = D E y + c, of which
`BayesRiskReconstructor` has the optimum without training.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from invae.errors import InputError
from invae.extras import optional_imports
from invae.linalg.estimators import check_is_fitted
from invae.linalg.samples import as_float, as_rows, from_rows
from invae.persistence import StoredEstimator

with optional_imports():
    import torch
    from torch import nn

__all__ = ["TrainedLinearAutoencoder", "UNet", "UNetPostprocessor"]

logger = logging.getLogger(__name__)

CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d}
POOL = {1: nn.MaxPool1d, 2: nn.MaxPool2d}


class UNet(nn.Module):
    """Encoder and decoder with skips: two 3-convolutions with ReLU a level, max pooling, nearest upsampling.

    Parameters
    ----------
    ndim : {1, 2}
        Axes of a signal.
    widths : tuple of int
        Channels of each level, finest first.

    The input (N, 1, *shape) may have any shape: it is continued at the end to a multiple of 2^(levels - 1).
    The last layer starts at zero, so the untrained net returns zeros.
    """

    def __init__(self, ndim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        convolution = CONVOLUTION[ndim]

        def block(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(
                convolution(inputs, outputs, 3, padding=1),
                nn.ReLU(),
                convolution(outputs, outputs, 3, padding=1),
                nn.ReLU(),
            )

        self.down = nn.ModuleList(block(a, b) for a, b in zip((1, *widths[:-1]), widths))
        pairs = list(zip(widths[1:], widths[:-1]))[::-1]
        self.up = nn.ModuleList(block(a + b, b) for a, b in pairs)
        self.pool = POOL[ndim](2)
        self.last = convolution(widths[0], 1, 1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = x.shape[2:]
        multiple = 2 ** (len(self.down) - 1)
        missing = [-size % multiple for size in shape]
        if any(missing):
            padding = [length for size in reversed(missing) for length in (0, size)]
            x = nn.functional.pad(x, padding, mode="replicate")
        skips = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1]):
            x = block(torch.cat([nn.functional.interpolate(x, scale_factor=2.0), skip], dim=1))
        x = self.last(x)
        for axis, size in enumerate(shape, start=2):
            x = x.narrow(axis, 0, size)
        return x


class _Trained(StoredEstimator, BaseEstimator):
    """The training loop and the checks that both share."""

    def _check_budget(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not self.learning_rate > 0:
            raise InputError(
                f"epochs={self.epochs}, batch_size={self.batch_size}, learning_rate={self.learning_rate}: "
                "all must be positive"
            )
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise InputError(f"max_seconds={self.max_seconds}; give a positive time or None")
        if not 0 < self.held_back < 1:
            raise InputError(f"held_back={self.held_back}; it is a share of the pairs, between 0 and 1")

    def _descend(self, model: nn.Module, A: np.ndarray, B: np.ndarray, flips: int) -> None:
        """Fit model(A) to B, both (N, ...) float32; leaves `history_`, `seconds_` and the best weights."""
        rng = np.random.default_rng(self.rng)
        order = rng.permutation(len(A))
        n_held = min(max(1, round(self.held_back * len(A))), len(A) - 1)
        held, kept = order[:n_held], order[n_held:]
        inputs, targets = torch.from_numpy(A), torch.from_numpy(B)
        optimiser = torch.optim.Adam(model.parameters(), lr=self.learning_rate)
        start = time.perf_counter()
        self.history_ = [_mean_loss(model, inputs[held], targets[held], self.batch_size)]
        best = self.history_[0], copy.deepcopy(model.state_dict())
        for epoch in range(self.epochs):
            spent = time.perf_counter() - start
            done = epoch / self.epochs
            if self.max_seconds is not None:
                done = max(done, spent / self.max_seconds)
            if done >= 1:
                break
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate * max(0.5 * (1 + math.cos(math.pi * done)), 0.01)
            rng.shuffle(kept)
            model.train()
            for first in range(0, len(kept), self.batch_size):
                rows = kept[first : first + self.batch_size]
                x, target = inputs[rows], targets[rows]
                if flips:
                    axes = [2 + axis for axis in range(flips) if rng.integers(2)]
                    x, target = torch.flip(x, axes), torch.flip(target, axes)
                optimiser.zero_grad()
                loss = torch.mean((model(x) - target) ** 2)
                loss.backward()
                optimiser.step()
                if self.max_seconds is not None and time.perf_counter() - start > self.max_seconds:
                    break
            self.history_.append(_mean_loss(model, inputs[held], targets[held], self.batch_size))
            if self.history_[-1] < best[0]:
                best = self.history_[-1], copy.deepcopy(model.state_dict())
            logger.debug("epoch %d: held-back loss %.4g", epoch + 1, self.history_[-1])
        model.load_state_dict(best[1])
        model.eval()
        self.seconds_ = time.perf_counter() - start

    def _seeded(self) -> _Seeded:
        """Weights are drawn from ``rng``, and torch's own state is left as it was."""
        return _Seeded(int(np.random.default_rng(self.rng).integers(2**31)))


class UNetPostprocessor(_Trained):
    """A U-Net that repairs another method's reconstructions.

    Parameters
    ----------
    first : estimator
        Fitted, with ``operator`` and ``predict``: what reconstructs before the net, e.g. a
        `FilteredBackprojection` or a `BayesRiskReconstructor`.
    widths : tuple of int, default (16, 32, 64)
        Channels of each level.
    epochs, batch_size, learning_rate
        Of Adam; the rate falls to 1 % along a cosine over the budget.
    max_seconds : float, optional
        Training stops at this wall time even before the last epoch.
    held_back : float, default 0.05
        Share of the pairs that choose the weights to keep.
    flips : bool, default True
        Show every image in all mirror images too, which a parallel-beam scan and a symmetric blur allow.
    nonnegative : bool, default False
        Cut negative values off at the end.
    rng : int, Generator or None

    Attributes
    ----------
    net_ : UNet
    history_ : list of float
        Held-back loss before training and after each epoch, in units of the normalised signal's power.
    seconds_ : float
        Wall time of the training.
    """

    def __init__(
        self,
        first: Any,
        widths: tuple[int, ...] = (16, 32, 64),
        epochs: int = 30,
        batch_size: int = 16,
        learning_rate: float = 1e-3,
        max_seconds: float | None = None,
        held_back: float = 0.05,
        flips: bool = True,
        nonnegative: bool = False,
        rng: int | np.random.Generator | None = None,
    ) -> None:
        self.first = first
        self.widths = widths
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_seconds = max_seconds
        self.held_back = held_back
        self.flips = flips
        self.nonnegative = nonnegative
        self.rng = rng

    def to_state(self) -> dict[str, Any]:
        state = super().to_state()
        net = state["fitted"].pop("net_", None)
        if net is not None:
            state["weights"] = {name: part.numpy() for name, part in net.state_dict().items()}
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        model = super().from_state(state)
        if "weights" in state:
            model.net_ = UNet(len(model.first.operator.dims), tuple(model.widths))
            model.net_.load_state_dict(
                {k: torch.from_numpy(np.array(v)) for k, v in state["weights"].items()}
            )
            model.net_.eval()
        return model

    def fit(self, signals: np.ndarray, measurements: np.ndarray) -> UNetPostprocessor:
        """Train on pairs.

        Parameters
        ----------
        signals : ndarray of shape (N, n) or (N, *dims)
        measurements : ndarray of shape (N, m) or (N, *dimsd)
            With the noise that later measurements will have.
        """
        self._check_budget()
        dims = tuple(self.first.operator.dims)
        if len(dims) not in CONVOLUTION or not self.widths:
            raise InputError(
                f"signals of shape {dims} and widths={self.widths}: the net takes one or two axes, "
                "and at least one level"
            )
        X, _ = as_rows(signals, dims, "signals")
        start = self._first(measurements)
        if len(X) != len(start) or len(X) < 2:
            raise InputError(f"{len(X)} signals, {len(start)} measurements; pass at least two pairs")
        self.scale_ = float(np.sqrt(np.mean(np.square(X, dtype=np.float64)))) or 1.0
        with self._seeded():
            self.net_ = UNet(len(dims), tuple(self.widths))
        A = np.ascontiguousarray(start / self.scale_, np.float32).reshape(-1, 1, *dims)
        B = np.ascontiguousarray(X / self.scale_, np.float32).reshape(A.shape)
        # The net learns what the first method left.
        self._descend(self.net_, A, B - A, len(dims) if self.flips else 0)
        return self

    def predict(self, measurements: np.ndarray) -> np.ndarray:
        """Reconstruct and repair: (N, m) -> (N, n), (N, *dimsd) -> (N, *dims)."""
        check_is_fitted(self, "net_")
        dims = tuple(self.first.operator.dims)
        _, shaped = as_rows(measurements, tuple(self.first.operator.dimsd), "measurements")
        start = self._first(measurements)
        A = np.ascontiguousarray(start / self.scale_, np.float32).reshape(-1, 1, *dims)
        X = start + self.scale_ * _run(self.net_, A, self.batch_size).reshape(start.shape)
        X = np.maximum(X, 0) if self.nonnegative else X
        return from_rows(X.astype(as_float(measurements).dtype), dims, shaped)

    def _first(self, measurements: np.ndarray) -> np.ndarray:
        Y, _ = as_rows(measurements, tuple(self.first.operator.dimsd), "measurements")
        return self.first.predict(Y)


class TrainedLinearAutoencoder(_Trained):
    """x_hat = D E y + c of rank ``rank``, trained by Adam from random weights.

    Parameters
    ----------
    rank : int
    shape, measurement_shape : tuple of int, optional
        Of a signal and of a measurement, where data come shaped; default flat.
    epochs, batch_size, learning_rate, max_seconds, held_back, rng
        As for `UNetPostprocessor`.

    Attributes
    ----------
    encoder_ : ndarray of shape (rank, m)
    decoder_ : ndarray of shape (n, rank)
    offset_ : ndarray of shape (n,)
    history_ : list of float
        Held-back loss, in units of the normalised signals' variance.
    seconds_ : float
        Wall time of the training.
    """

    def __init__(
        self,
        rank: int,
        shape: tuple[int, ...] | None = None,
        measurement_shape: tuple[int, ...] | None = None,
        epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        max_seconds: float | None = None,
        held_back: float = 0.05,
        rng: int | np.random.Generator | None = None,
    ) -> None:
        self.rank = rank
        self.shape = shape
        self.measurement_shape = measurement_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_seconds = max_seconds
        self.held_back = held_back
        self.rng = rng

    def fit(self, signals: np.ndarray, measurements: np.ndarray) -> TrainedLinearAutoencoder:
        """Train on pairs (N, n), (N, m), or shaped ones."""
        self._check_budget()
        X, self.shape_ = _flat(signals, self.shape, "signals")
        Y, self.measurement_shape_ = _flat(measurements, self.measurement_shape, "measurements")
        if len(X) != len(Y) or len(X) < 2:
            raise InputError(f"{len(X)} signals, {len(Y)} measurements; pass at least two pairs")
        n, m = X.shape[1], Y.shape[1]
        if not 1 <= self.rank <= min(m, n):
            raise InputError(
                f"rank={self.rank} is not between 1 and min(m={m}, n={n}); use 1 <= rank <= {min(m, n)}"
            )
        mean_x, mean_y = X.mean(axis=0, dtype=np.float64), Y.mean(axis=0, dtype=np.float64)
        scale_x, scale_y = (float((Z - mean).std()) or 1.0 for Z, mean in ((X, mean_x), (Y, mean_y)))
        with self._seeded():
            model = nn.Sequential(nn.Linear(m, self.rank, bias=False), nn.Linear(self.rank, n))
        A = ((Y - mean_y) / scale_y).astype(np.float32)
        self._descend(model, A, ((X - mean_x) / scale_x).astype(np.float32), 0)
        encoder, decoder, bias = (p.detach().numpy().astype(np.float64) for p in model.parameters())
        self.encoder_, self.decoder_ = encoder / scale_y, decoder * scale_x
        self.offset_ = mean_x + scale_x * bias - self.decoder_ @ (self.encoder_ @ mean_y)
        return self

    def predict(self, measurements: np.ndarray) -> np.ndarray:
        """(N, m) -> (N, n), shaped -> shaped."""
        check_is_fitted(self, "decoder_")
        Y, shaped = as_rows(measurements, self.measurement_shape_, "measurements")
        E, D, c = (part.astype(Y.dtype) for part in (self.encoder_, self.decoder_, self.offset_))
        return from_rows((Y @ E.T) @ D.T + c, self.shape_, shaped)


class _Seeded:
    """Context in which torch draws from a seed; outside it nothing has happened."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __enter__(self) -> None:
        self._state = torch.get_rng_state()
        torch.manual_seed(self._seed)

    def __exit__(self, *_: object) -> None:
        torch.set_rng_state(self._state)


def _flat(array: np.ndarray, shape: tuple[int, ...] | None, what: str) -> tuple[np.ndarray, tuple[int, ...]]:
    array = as_float(array)
    shape = tuple(array.shape[1:] if shape is None else shape)
    return as_rows(array, shape, what)[0], shape


@torch.no_grad()
def _run(model: nn.Module, A: np.ndarray, batch_size: int) -> np.ndarray:
    parts = [model(torch.from_numpy(A[k : k + batch_size])) for k in range(0, len(A), batch_size)]
    return torch.cat(parts).numpy()


@torch.no_grad()
def _mean_loss(model: nn.Module, A: torch.Tensor, B: torch.Tensor, batch_size: int) -> float:
    model.eval()
    total = sum(
        torch.sum((model(A[k : k + batch_size]) - B[k : k + batch_size]) ** 2).item()
        for k in range(0, len(A), batch_size)
    )
    return total / B.numel()
