"""Training of linear autoencoders by gradient methods, with the trajectories that show the theory.

For a linear autoencoder training is never the right tool: `LinearAutoencoder` has the optimum in closed form
from one streamed Gram matrix and one eigendecomposition, exactly and tens of times faster (measured in
docs/training-or-closed-form.md). Train to look at the landscape, or where the layer is part of a deeper
model.

* `train` descends the expected loss J of a `Landscape` itself: a full batch of any size at the cost of its
  covariance.
* `train_minibatch` sees samples, from an array or from a stream, and can train biases.
* `train_sparse_gaussian` descends the sparse autoencoder's expected loss for Gaussian signals.

Numbers are drawn by NumPy from ``rng``; torch's global state is neither read nor set.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from invae.autoencoders.linear import penalties
from invae.autoencoders.linear.landscape import Landscape, balance, transpose_gap
from invae.errors import InputError
from invae.extras import optional_imports
from invae.linalg.samples import as_float

with optional_imports():
    import torch

__all__ = ["OPTIMISERS", "Trained", "Trajectory", "train", "train_minibatch", "train_sparse_gaussian"]

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "lbfgs": lambda parameters, lr: torch.optim.LBFGS(
        parameters,
        lr=lr,
        max_iter=20,
        history_size=50,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    ),
}
LEARNING_RATES = {"adam": 1e-2, "sgd": 1e-3, "lbfgs": 1.0}


@dataclass(frozen=True)
class Trajectory:
    """What happened on the way; every array has one entry per record.

    ``steps`` counts optimiser steps (`train`: an L-BFGS step is up to 20 inner ones) or epochs
    (`train_minibatch`). ``loss`` is J, or the mean loss of the epoch's batches where J is not known.
    ``alignment`` is the cosine of the largest angle between decoder and principal subspace, NaN where that is
    not known.
    """

    steps: np.ndarray
    seconds: np.ndarray
    loss: np.ndarray
    transpose_gap: np.ndarray
    balance: np.ndarray
    alignment: np.ndarray


@dataclass(frozen=True)
class Trained:
    """Encoder W1 (k, m), decoder W2 (m, k), offset c (m,) of x_hat = W2 W1 x + c, and the trajectory."""

    encoder: np.ndarray
    decoder: np.ndarray
    offset: np.ndarray
    trajectory: Trajectory


def train(
    landscape: Landscape,
    optimizer: str = "adam",
    n_steps: int = 1000,
    *,
    learning_rate: float | None = None,
    initial: tuple[np.ndarray, np.ndarray] | None = None,
    record_every: int = 10,
    tol: float = 0.0,
    rng: int | np.random.Generator | None = None,
) -> Trained:
    """Descend J from ``initial`` = (W1, W2), or from a random start.

    Parameters
    ----------
    landscape : Landscape
        Gamma, k and the penalties.
    optimizer : {"adam", "sgd", "lbfgs"}
    n_steps : int
        Most steps.
    learning_rate : float, optional
        1e-2, 1e-3 and 1 by default.
    record_every : int
        Steps between two records.
    tol : float
        Stop when the largest entry of the gradient is below it.
    """
    W1, W2 = initial if initial is not None else landscape.random_weights(rng)
    parameters = [torch.tensor(W, dtype=torch.float64, requires_grad=True) for W in (W1, W2)]
    stepper = _optimiser(optimizer, parameters, learning_rate)
    gamma, s = torch.tensor(landscape.covariance), torch.tensor(landscape.decay)
    power = float(np.trace(landscape.covariance))

    def closure() -> float:
        stepper.zero_grad()
        E, D = parameters
        # tr[(I - A) Gamma (I - A)^T] with A = D E, through products with k rows or columns.
        EG = E @ gamma
        loss = power - 2 * torch.sum(D * EG.T) + torch.sum((D.T @ D) * (EG @ E.T))
        loss = loss + landscape.product * penalties.product(E, D) + penalties.decay(E, D, s)
        loss.backward()
        return loss.item()

    recorder = _Recorder(landscape)
    for step in range(n_steps + 1):
        W1, W2 = (p.detach().numpy() for p in parameters)
        gradient = max(np.abs(part).max() for part in landscape.gradient(W1, W2)) if tol > 0 else np.inf
        last = step == n_steps or gradient < tol
        if step % record_every == 0 or last:
            recorder.record(step, W1, W2)
        if last:
            break
        stepper.step(closure)
    return Trained(W1.copy(), W2.copy(), np.zeros(len(W2)), recorder.trajectory())


def train_minibatch(
    signals: np.ndarray | Callable[[int], Iterable[np.ndarray]],
    n_components: int,
    *,
    product: float = 0.0,
    decay: float | np.ndarray = 0.0,
    optimizer: str = "adam",
    n_epochs: int = 60,
    batch_size: int = 64,
    learning_rate: float | None = None,
    anneal: bool = True,
    affine: bool = True,
    landscape: Landscape | None = None,
    record_every: int = 1,
    rng: int | np.random.Generator | None = None,
) -> Trained:
    """Train on samples: mean over the batch of ||x - x_hat||^2, plus the penalties.

    Parameters
    ----------
    signals : ndarray of shape (N, m), or callable
        Rows, shuffled in every epoch; or a function of the epoch's number that yields batches (n, m), so that
        the signals may come from files and need not fit in memory. float32 rows are trained in float32.
    anneal : bool
        Let the learning rate fall to 0 along a half cosine over the epochs; a constant one ends in gradient
        noise.
    affine : bool
        Train the biases b1 and b2, too. They are not penalised.
    landscape : Landscape, optional
        Where to measure J and the alignment; it does not take part in the training.
    record_every : int
        Epochs between two records.
    """
    if n_epochs < 1:
        raise InputError(f"n_epochs={n_epochs} must be at least 1")
    rng = np.random.default_rng(rng)
    stream = signals if callable(signals) else _shuffled(np.asarray(signals), batch_size, rng)
    recorder = _Recorder(landscape)
    model: _Affine | None = None
    for epoch in range(1, n_epochs + 1):
        total, count = 0.0, 0
        rate = 0.5 * (1 + math.cos(math.pi * (epoch - 1) / n_epochs)) if anneal else 1.0
        for batch in map(as_float, stream(epoch)):
            if model is None:
                model = _Affine(batch, n_components, affine, (product, decay), rng)
                stepper = _optimiser(optimizer, model.parameters, learning_rate)
                full_rate = stepper.param_groups[0]["lr"]
            stepper.param_groups[0]["lr"] = rate * full_rate
            x = torch.tensor(batch)
            total += (stepper.step(partial(model.backward, x, stepper)) or 0.0) * len(x)
            count += len(x)
        if model is None or count == 0:
            raise InputError(f"epoch {epoch} yielded no batch; the function must start a new pass each time")
        if epoch % record_every == 0 or epoch == n_epochs:
            recorder.record(epoch, *model.weights(), total / count)
    assert model is not None  # an epoch without batches was refused
    W1, W2 = model.weights()
    return Trained(W1, W2, model.offset(), recorder.trajectory())


def train_sparse_gaussian(
    factor: np.ndarray,
    n_atoms: int,
    weight: float,
    n_steps: int = 4,
    rng: int | np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Encoder (l, n) and unit-norm decoder (n, l) that minimise the sparse loss of x ~ N(0, B B^T) by L-BFGS.

    Parameters
    ----------
    factor : ndarray of shape (n, q)
        B.
    n_atoms : int
        l.
    weight : float
        w, as in `gaussian_sparse_optimum`.
    n_steps : int
        Steps of up to 20 inner iterations, for each of four smoothings of the penalty's corner.
    """
    rng = np.random.default_rng(rng)
    B = np.asarray(factor, np.float64)
    n, q = B.shape
    scale = np.linalg.norm(B)
    # The encoder's answer to white signals, F = E B: in it the loss is well conditioned whatever Gamma.
    F = torch.tensor(rng.standard_normal((n_atoms, q)) * scale / (n * np.sqrt(n_atoms)), requires_grad=True)
    D = torch.tensor(rng.standard_normal((n, n_atoms)), requires_grad=True)
    target, white = torch.from_numpy(B), torch.eye(q, dtype=torch.float64)

    def loss(smoothing: float, stepper: torch.optim.Optimizer) -> float:
        stepper.zero_grad()
        value = torch.sum((penalties.unit_atoms(D) @ F - target) ** 2)
        value = value + weight * penalties.expected_l1(F, white, smoothing * scale / np.sqrt(n))
        value.backward()
        return value.item()

    for smoothing in (1e-1, 1e-2, 1e-3, 1e-4):
        stepper = _optimiser("lbfgs", [F, D], None)
        for _ in range(n_steps):
            stepper.step(partial(loss, smoothing, stepper))
    return F.detach().numpy() @ np.linalg.pinv(B), penalties.unit_atoms(D).detach().numpy()


class _Affine:
    """x_hat = W2 (W1 x + b1) + b2 with its loss on a batch; without biases if not ``affine``."""

    def __init__(
        self, batch: np.ndarray, k: int, affine: bool, weights: tuple, rng: np.random.Generator
    ) -> None:
        m = batch.shape[1]
        if not 1 <= k <= m:
            raise InputError(f"n_components={k} is not in 1..m={m}")
        dtype = torch.tensor(batch[:0]).dtype
        arrays = [rng.standard_normal(shape) / np.sqrt(m) for shape in ((k, m), (m, k))]
        arrays += [np.zeros(k), np.zeros(m)] if affine else []
        self.parameters = [torch.tensor(array, dtype=dtype, requires_grad=True) for array in arrays]
        self.product, self.decay = weights[0], torch.as_tensor(np.asarray(weights[1]), dtype=dtype)

    def backward(self, x: torch.Tensor, stepper: torch.optim.Optimizer) -> float:
        """Loss of the batch x (n, m), its gradient left in the parameters."""
        stepper.zero_grad()
        W1, W2, *biases = self.parameters
        if biases:
            x_hat = torch.addmm(biases[1], torch.addmm(biases[0], x, W1.T), W2.T)
        else:
            x_hat = x @ W1.T @ W2.T
        loss = torch.sum((x - x_hat) ** 2) / len(x)
        if self.product:
            loss = loss + self.product * penalties.product(W1, W2)
        loss = loss + penalties.decay(W1, W2, self.decay)
        loss.backward()
        return loss.item()

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        W1, W2 = (p.detach().numpy().astype(np.float64) for p in self.parameters[:2])
        return W1, W2

    def offset(self) -> np.ndarray:
        """c = W2 b1 + b2 (m,)."""
        _, W2, *biases = (p.detach().numpy().astype(np.float64) for p in self.parameters)
        return W2 @ biases[0] + biases[1] if biases else np.zeros(len(W2))


class _Recorder:
    """Collects the rows of a trajectory."""

    def __init__(self, landscape: Landscape | None) -> None:
        self.landscape, self.start = landscape, time.perf_counter()
        self.rows: list[tuple[float, ...]] = []

    def record(self, step: int, W1: np.ndarray, W2: np.ndarray, loss: float = np.nan) -> None:
        seconds, alignment = time.perf_counter() - self.start, np.nan
        if self.landscape is not None:
            loss, alignment = self.landscape.loss(W1, W2), self.landscape.alignment(W2)
        self.rows.append((step, seconds, loss, transpose_gap(W1, W2), balance(W1, W2), alignment))

    def trajectory(self) -> Trajectory:
        return Trajectory(*np.array(self.rows, float).T)


def _optimiser(
    name: str, parameters: list[torch.Tensor], learning_rate: float | None
) -> torch.optim.Optimizer:
    if name not in OPTIMISERS:
        raise InputError(f"optimizer={name!r}; choose one of {', '.join(OPTIMISERS)}")
    return OPTIMISERS[name](parameters, lr=LEARNING_RATES[name] if learning_rate is None else learning_rate)


def _shuffled(
    signals: np.ndarray, batch_size: int, rng: np.random.Generator
) -> Callable[[int], Iterable[np.ndarray]]:
    """Rows (N, m) as a stream of shuffled batches."""
    if signals.ndim != 2 or len(signals) == 0:
        raise InputError(f"signals have shape {signals.shape}, expected (N, m) with one sample per row")
    if batch_size < 1:
        raise InputError(f"batch_size={batch_size} must be at least 1")

    def stream(epoch: int) -> Iterable[np.ndarray]:
        order = rng.permutation(len(signals))
        return (signals[order[i : i + batch_size]] for i in range(0, len(order), batch_size))

    return stream
