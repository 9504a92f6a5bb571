"""What the sparse autoencoders share: decode what was encoded, be stored, refuse senseless settings."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from invae.errors import InputError
from invae.linalg.samples import is_number, shown

__all__ = ["SparseModel"]


class SparseModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of estimators with ``transform``, ``inverse_transform`` and an L1 ``penalty``."""

    ENCODERS: tuple[str, ...] = ()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Reconstruct signals, in the shape in which they came: decode what was encoded."""
        return self.inverse_transform(self.transform(X))

    def to_state(self) -> dict[str, Any]:
        """Parameters and fitted arrays, for `invae.save`; the seed is kept when it is an integer."""
        parameters = {**self.get_params(deep=False), "progress": None}
        if not isinstance(self.rng, int | np.integer):
            parameters["rng"] = None
        return {"parameters": parameters, "fitted": {k: v for k, v in vars(self).items() if k.endswith("_")}}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        model = cls(**state["parameters"])
        vars(model).update(state["fitted"])
        return model

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
