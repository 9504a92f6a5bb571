"""scikit-learn's checks of an estimator and its input, whose refusals are `InvaeError`s as well."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import exceptions
from sklearn.utils import validation

from invae.errors import InputError, ModelError

__all__ = ["UnfittedError", "check_is_fitted", "validate_data"]


class UnfittedError(ModelError, exceptions.NotFittedError):
    """An estimator is used before `fit`."""


class _WrongType(InputError, TypeError):
    """Input of a type that scikit-learn refuses as such."""


def check_is_fitted(estimator: Any, attributes: Any = None) -> None:
    """As `sklearn.utils.validation.check_is_fitted`.

    Raises
    ------
    UnfittedError
        `fit` was not called.
    """
    try:
        validation.check_is_fitted(estimator, attributes)
    except exceptions.NotFittedError:
        raise UnfittedError(
            f"This {type(estimator).__name__} instance is not fitted yet; call fit before using it"
        ) from None


def validate_data(estimator: Any, X: Any, **options: Any) -> np.ndarray:
    """As `sklearn.utils.validation.validate_data` of one array.

    Raises
    ------
    InputError
        ``X`` is no array of numbers, or not one that fits.
    """
    try:
        return validation.validate_data(estimator, X, **options)
    except InputError:
        raise
    except TypeError as error:
        raise _WrongType(str(error)) from None
    except ValueError as error:
        # scikit-learn shows the array itself on lines of their own.
        lines = [line for line in str(error).splitlines() if not line.startswith("array=")]
        raise InputError(" ".join(lines)) from None
