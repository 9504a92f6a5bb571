"""Wrong arguments of public classes end in one InvaeError, or work: no bare traceback, no silent NaN."""

from __future__ import annotations

import warnings

import numpy as np
import pylops
import pytest

import invae
from invae.autoencoders import LinearAutoencoder, ProbabilisticPCA, SparseAutoencoder
from invae.classical import Landweber, Sart, TotalGeneralisedVariation
from invae.errors import InvaeError
from invae.operators import Masked

SIDE = 12
rng = np.random.default_rng(0)
BLUR = invae.Blur((SIDE, SIDE), sigma=0.8)
SCAN = invae.Radon(SIDE, 9)
X = rng.random((14, SIDE, SIDE))
Y = BLUR.apply(X)
VIEWS = SCAN.apply(X)

WRONG = [
    None,
    "text",
    b"bytes",
    -1,
    0,
    2.5,
    float("nan"),
    float("inf"),
    1 + 2j,
    True,
    [],
    [1, "a"],
    {},
    object(),
    (1, 2, 3),
    np.array(0.5),
    np.zeros((2, 3)),
    np.array(["a"]),
    np.array([None]),
    lambda: None,
]

# Constructor, arguments that are right, names to put wrong values into.
OPERATORS = {
    "Radon": (invae.Radon, {"shape": 6, "n_angles": 3}),
    "Radon angles": (invae.Radon, {"shape": 6, "angles": np.array([0.1, 0.9])}),
    "Radon fan": (
        invae.Radon,
        {
            "shape": 6,
            "n_angles": 3,
            "geometry": "fan",
            "source_distance": 20.0,
            "detector_distance": 1.0,
            "n_detectors": 9,
            "detector_spacing": 1.0,
            "detector_offset": 0.0,
            "matrix_free": "auto",
            "source_side": "above",
        },
    ),
    "Blur": (invae.Blur, {"shape": (6, 6), "sigma": 1.0, "boundary": "zero"}),
    "Blur kernel": (invae.Blur, {"shape": (6, 6), "kernel": np.ones((3, 3))}),
    "Heat": (
        invae.Heat,
        {"shape": 6, "time": 1.0, "conductivity": 1.0, "n_steps": 3, "spacing": 1.0, "unknown": "source"},
    ),
    "Masked": (Masked, {"operator": BLUR, "keep": np.ones((SIDE, SIDE), bool)}),
    "GaussianNoise": (invae.GaussianNoise, {"std": 0.1}),
    "GaussianNoise relative": (invae.GaussianNoise, {"relative": 0.1}),
    "PoissonNoise": (invae.PoissonNoise, {"scale": 5.0}),
}
METHODS = {
    "FilteredBackprojection": (
        invae.FilteredBackprojection,
        {"operator": SCAN, "parameter": 1.0, "window": "hann", "noise": 0.1, "tau": 1.0},
    ),
    "Cgls": (
        invae.Cgls,
        {"operator": BLUR, "parameter": "discrepancy", "noise": 0.1, "tau": 1.0, "max_iter": 4},
    ),
    "Sirt": (
        invae.Sirt,
        {"operator": BLUR, "parameter": 3, "bounds": (0, None), "relaxation": 1.0, "max_iter": 4},
    ),
    "Sart": (Sart, {"operator": SCAN, "parameter": 2, "bounds": (0, None), "relaxation": 0.5}),
    "Landweber": (Landweber, {"operator": BLUR, "parameter": 3, "bounds": (0, None), "relaxation": 1.0}),
    "RichardsonLucy": (invae.RichardsonLucy, {"operator": BLUR, "parameter": 3, "background": 0.0}),
    "Tikhonov": (invae.Tikhonov, {"operator": BLUR, "parameter": 0.1, "order": 0, "noise": 0.1}),
    "TruncatedSvd": (invae.TruncatedSvd, {"operator": BLUR, "parameter": 3, "noise": 0.1}),
    "Wiener": (invae.Wiener, {"operator": BLUR, "parameter": "noise", "noise": 0.1, "power": None}),
    "TotalVariation": (
        invae.TotalVariation,
        {"operator": BLUR, "parameter": 0.1, "max_iter": 4, "tol": 1e-3, "noise": 0.1},
    ),
    "TotalGeneralisedVariation": (
        TotalGeneralisedVariation,
        {"operator": BLUR, "parameter": 0.1, "max_iter": 4, "beta": 2.0},
    ),
    "WaveletL1": (
        invae.WaveletL1,
        {"operator": BLUR, "parameter": 0.1, "max_iter": 4, "wavelet": "haar", "levels": 1},
    ),
}
ESTIMATORS = {
    "LinearAutoencoder": (
        LinearAutoencoder,
        {"n_components": 2, "product": 0.0, "decay": 0.0, "center": True},
    ),
    "ProbabilisticPCA": (
        ProbabilisticPCA,
        {"n_components": 2, "noise_variance": 0.1, "max_iter": 5, "tol": 1e-3},
    ),
    "SparseAutoencoder": (
        SparseAutoencoder,
        {"n_atoms": 5, "penalty": 0.1, "encoder": "fista", "n_epochs": 1, "batch_size": 8, "n_steps": 2},
    ),
}


def attempt(call):
    """None if it works or is refused clearly, else what went wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call()
    except InvaeError as error:
        text = str(error)
        return None if len(text) < 600 and "\n" not in text.strip() else f"long message: {text[:80]!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:150]
    finite = not isinstance(result, np.ndarray) or np.isfinite(result).all()
    return None if finite else "NaN or inf"


def failures(kind, right, use):
    out = []
    for name in right:
        for value in WRONG:
            told = attempt(lambda: use(kind(**{**right, name: value})))  # noqa: B023
            if told is not None:
                out.append(f"{kind.__name__}({name}={value!r:.40}): {told}")
    return out


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_and_noise_models(name):
    kind, right = OPERATORS[name]

    def use(made):
        if hasattr(made, "apply"):
            return made.apply(np.ones((2, made.shape[1])))
        return made.sample(np.ones((2, 5)), rng=0)

    assert attempt(lambda: use(kind(**right))) is None
    assert failures(kind, right, use) == []


@pytest.mark.parametrize("name", METHODS)
def test_classical_methods(name):
    kind, right = METHODS[name]
    data = VIEWS if right["operator"] is SCAN else Y
    assert attempt(lambda: kind(**right).fit().predict(data[:2])) is None
    assert failures(kind, right, lambda method: method.fit().predict(data[:2])) == []


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name):
    kind, right = ESTIMATORS[name]
    rows = X.reshape(14, -1)
    assert attempt(lambda: kind(**right).fit(rows).predict(rows)) is None
    assert failures(kind, right, lambda model: model.fit(rows).predict(rows)) == []


DATA = [
    *WRONG,
    np.zeros((0, SIDE, SIDE)),
    X[:2, :-1],
    pylops.Identity(4),
    Y[:2] * 1e200,
    np.full((2, SIDE, SIDE), np.nan),
]


@pytest.mark.parametrize("name", [*METHODS, *ESTIMATORS])
def test_data_of_the_wrong_kind(name):
    kind, right = {**METHODS, **ESTIMATORS}[name]
    out = []
    for data in DATA:
        if name in METHODS:
            told = attempt(lambda: kind(**right).fit().predict(data))  # noqa: B023
        else:
            told = attempt(lambda: kind(**right).fit(data).predict(data))  # noqa: B023
        if told is not None:
            out.append(f"{name} on {data!r:.50}: {told}")
    assert out == []


@pytest.mark.parametrize("name", [*METHODS, *ESTIMATORS])
def test_use_before_fit(name):
    kind, right = {**METHODS, **ESTIMATORS}[name]
    assert attempt(lambda: kind(**right).predict(X.reshape(14, -1))) is None
