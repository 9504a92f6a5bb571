"""What the sparse autoencoders share: the alternation that learns, decoding, storing, refusals."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from invae.autoencoders.sparse.lasso import lasso_loss
from invae.errors import InputError
from invae.linalg.samples import is_number, shown
from invae.persistence import StoredEstimator

__all__ = ["POLISH", "Learner", "SparseModel"]

log = logging.getLogger(__name__)
POLISH = 400  # steps of fista in transform: its codes stay, those of the training are but on their way


class Learner(Protocol):
    """A dictionary in the making: `AtomLearner`, `KernelLearner`."""

    def begin(self) -> None: ...

    def dictionary(self, dtype: np.dtype) -> Any: ...

    def usage(self, Z: np.ndarray) -> np.ndarray: ...

    def add(self, dictionary: Any, X: np.ndarray, Z: np.ndarray) -> None: ...

    def settle(self) -> None: ...

    def replace_dead(
        self, usage: np.ndarray, X: np.ndarray, Z: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray: ...


class SparseModel(StoredEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of estimators with ``transform``, ``inverse_transform`` and an L1 ``penalty``.

    A subclass defines ``_code(signals, dictionary, n_steps, start)``: codes of centred signals.
    """

    ENCODERS: tuple[str, ...] = ()
    n_epochs: int
    batch_size: int
    n_steps: int
    tol: float
    encoder: str
    weight_: float
    progress: Callable[[int, int], None] | None

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Reconstruct signals, in the shape in which they came: decode what was encoded."""
        return self.inverse_transform(self.transform(X))

    def _check(self) -> None:
        if not isinstance(self.encoder, str) or self.encoder not in self.ENCODERS:
            raise InputError(
                f"encoder={shown(self.encoder)} is unknown; choose one of {', '.join(self.ENCODERS)}"
            )
        for name in ("penalty", "tolerance", "tol"):
            if not is_number(getattr(self, name), 0.0):
                raise InputError(f"{name}={shown(getattr(self, name))} must be a number, not negative")
        for name in ("n_epochs", "batch_size", "n_steps"):
            value = getattr(self, name)
            if not is_number(value, 1) or int(value) != value:
                raise InputError(f"{name}={shown(value)} must be a whole number, at least 1")

    def _code(
        self, signals: np.ndarray, dictionary: Any, n_steps: int, start: np.ndarray | None = None
    ) -> np.ndarray:
        raise NotImplementedError

    @property
    def _loss_weight(self) -> float:
        """Of ||z||_1 in the loss: a greedy code is not penalised."""
        return 0.0 if self.encoder == "omp" else self.weight_

    def _learn(self, signals: np.ndarray, learner: Learner, rng: np.random.Generator) -> np.ndarray:
        """Alternate codes and atoms; the learner improves, codes (N, *code_shape) are returned.

        Leaves ``loss_path_`` and ``n_iter_``.
        """
        N = len(signals)
        dictionary = learner.dictionary(signals.dtype)
        Z = np.zeros((N, *dictionary.code_shape), signals.dtype)
        path: list[float] = []
        slow = 0
        for epoch in range(self.n_epochs):
            learner.begin()
            usage = np.zeros_like(learner.usage(Z[:1]))
            total = 0.0
            order = rng.permutation(N)
            for first in range(0, N, self.batch_size):
                batch = order[first : first + self.batch_size]
                x = signals[batch]
                Z[batch] = z = self._code(x, dictionary, self.n_steps, start=Z[batch])
                usage += learner.usage(z)
                total += float(lasso_loss(x, dictionary, z, self._loss_weight).sum(dtype=np.float64))
                learner.add(dictionary, x, z)
                dictionary = learner.dictionary(signals.dtype)
            learner.settle()
            path.append(total / N)
            if epoch < self.n_epochs - 1:
                Z[:, learner.replace_dead(usage, signals, Z, rng)] = 0
            dictionary = learner.dictionary(signals.dtype)
            if self.progress is not None:
                self.progress(epoch + 1, self.n_epochs)
            slow = slow + 1 if epoch and path[-2] - path[-1] < self.tol * abs(path[-2]) else 0
            if slow == 2:
                break
        self.loss_path_, self.n_iter_ = np.array(path), len(path)
        log.debug("%s: %d epochs, loss %g to %g", type(self).__name__, len(path), path[0], path[-1])
        return Z
