"""Degrees where radians are wanted."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from invae.errors import InputError, InvaeWarning
from invae.operators import Radon

DEGREES = [
    np.linspace(0, 180, 60, endpoint=False),
    np.linspace(0, 180, 61),
    np.arange(0, 360, 1.7),
    np.arange(-60, 61, 1.5),
    np.arange(180) + np.random.default_rng(0).normal(0, 1e-3, 180),
    [30.0, 75.0],
]
RADIANS = [
    np.linspace(0, np.pi, 60),
    np.linspace(-2 * np.pi, 2 * np.pi, 100),
    np.arange(500) * np.pi * (3 - np.sqrt(5)),
    np.linspace(0, 20 * np.pi, 700),
    np.array([0.5, 1.0, 1.5]),
]


@pytest.mark.parametrize("angles", DEGREES)
def test_degrees_are_noticed(angles):
    with pytest.warns(InvaeWarning, match=r"look like degrees.*np\.deg2rad\(angles\)"):
        Radon(8, angles=angles)


@pytest.mark.parametrize("angles", RADIANS)
def test_turns_of_radians_are_no_degrees(angles):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Radon(8, angles=angles)


@pytest.mark.parametrize("wrong", [np.linspace(0, np.pi, 5), [0.1, 0.2], "30", 2.5, True and None])
def test_a_list_of_views_in_the_place_of_their_number_is_refused(wrong):
    with pytest.raises(InputError, match="angles"):
        Radon(8, wrong)
