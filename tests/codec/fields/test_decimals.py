"""Floats that were decimal text."""

from __future__ import annotations

import numpy as np

from invae.codec.fields.exact_forms.decimals import (
    DIGITS,
    FIXED,
    decimal_codes,
    fixed_to_values,
    scientific_to_values,
)


def test_decimal_text_is_recognised_and_rebuilt(rng):
    x = np.array([float(f"{v:.4f}") for v in rng.normal(0, 100, 300)])
    name, k, codes = decimal_codes(x)[0]
    assert name == FIXED and k == 4 and np.array_equal(fixed_to_values(codes, k), x)
    x = np.array([float(f"{v:.5e}") for v in np.exp(rng.normal(0, 30, 300)) * rng.choice([-1, 1], 300)])
    name, d, codes = decimal_codes(x)[-1]
    assert name == DIGITS and d == 6 and np.array_equal(scientific_to_values(codes, d), x)
    assert np.array_equal(np.argsort(codes), np.argsort(x))
    assert decimal_codes(rng.normal(size=300)) == []
