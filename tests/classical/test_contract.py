"""What holds for every classical method."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import invae
from invae.classical import (
    Cgls,
    Landweber,
    RichardsonLucy,
    Sart,
    Sirt,
    Tikhonov,
    TotalVariation,
    TruncatedSvd,
    WaveletL1,
    Wiener,
)
from invae.errors import InputError

METHODS = {
    "cgls": lambda F, **kw: Cgls(F, **{"max_iter": 30} | kw),
    "landweber": lambda F, **kw: Landweber(F, **{"max_iter": 300} | kw),
    "richardson-lucy": lambda F, **kw: RichardsonLucy(F, **{"max_iter": 100} | kw),
    "sart": lambda F, **kw: Sart(F, **{"max_iter": 30, "relaxation": 0.1} | kw),
    "sirt": lambda F, **kw: Sirt(F, **{"max_iter": 300} | kw),
    "tikhonov": Tikhonov,
    "tikhonov, gradient": lambda F, **kw: Tikhonov(F, **{"order": 1} | kw),
    "tikhonov, laplacian": lambda F, **kw: Tikhonov(F, **{"order": 2} | kw),
    "tsvd": TruncatedSvd,
    "tv": lambda F, **kw: TotalVariation(F, **{"max_iter": 100} | kw),
    "wavelet": lambda F, **kw: WaveletL1(F, **{"max_iter": 60} | kw),
    "wiener": Wiener,
}
COUNTED = ("cgls", "landweber", "richardson-lucy", "sart", "sirt", "tsvd")
NUMBER = {name: 8 if name in COUNTED else 1e-3 for name in METHODS}
RULES = ["gcv", "robust_gcv", "discrepancy", "l_curve", "oracle", "validation"]

# Few iterations are allowed on purpose; that predict says so has its own test.
pytestmark = pytest.mark.filterwarnings("ignore:.*see converged_:invae.errors.InvaeWarning")


def relative(estimate, truth):
    return np.linalg.norm(estimate - truth, axis=1) / np.linalg.norm(truth, axis=1)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_serves_every_method(problem, name, rule):
    F, X, Y, std = problem
    method = METHODS[name](F, parameter=rule, noise=std).fit(X, Y)
    estimate = method.predict(Y, X) if rule == "oracle" else method.predict(Y)
    assert estimate.shape == X.shape and method.parameters_.shape == (len(Y),)
    # A sensible parameter: far better than the naive inverse, and than nothing at all.
    naive = np.median(relative(Y @ np.linalg.pinv(F.A).T, X))
    limit = 0.9 if rule == "l_curve" else 0.5
    assert np.median(relative(estimate, X)) < min(limit, 0.2 * naive)


@pytest.mark.parametrize("name", METHODS)
def test_the_oracle_is_not_beaten(problem, name):
    F, X, Y, std = problem
    best = relative(METHODS[name](F, parameter="oracle").fit().predict(Y, X), X)
    for rule in ("gcv", "discrepancy"):
        other = relative(METHODS[name](F, parameter=rule, noise=std).fit().predict(Y), X)
        # Its grid is finite: a hair's breadth may be lost.
        assert (best <= 1.03 * other).all()


@pytest.mark.parametrize("name", METHODS)
def test_validation_on_the_test_set_beats_any_other_single_value(problem, name):
    F, X, Y, _ = problem
    method = METHODS[name](F, parameter="validation").fit(X, Y)
    chosen = method.parameter_
    best = relative(method.predict(Y), X).mean()
    for factor in (0.5, 2.0):
        value = max(1, round(chosen * factor)) if name in COUNTED else chosen * factor
        assert best <= 1.02 * relative(METHODS[name](F, parameter=value).fit().predict(Y), X).mean()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("rule", ["number", "gcv", "discrepancy"])
def test_a_batch_equals_one_by_one(problem, name, rule):
    F, _, Y, std = problem
    value = NUMBER[name] if rule == "number" else rule
    method = METHODS[name](F, parameter=value, noise=std).fit()
    batch = method.predict(Y[:4])
    single = np.concatenate([method.predict(row[None]) for row in Y[:4]])
    np.testing.assert_allclose(batch, single, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", METHODS)
def test_float32_stays_float32_and_inputs_stay_unmutated(problem, name):
    F, _, Y, std = problem
    method = METHODS[name](F, parameter=NUMBER[name], noise=std).fit()
    copy = Y.copy()
    wide, narrow = method.predict(Y), method.predict(Y.astype(np.float32))
    np.testing.assert_array_equal(Y, copy)
    assert wide.dtype == np.float64 and narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wide, atol=2e-3 * np.abs(wide).max())


@pytest.mark.parametrize("name", METHODS)
def test_wrong_input_is_one_clear_sentence(problem, name):
    F, X, Y, _ = problem
    make = METHODS[name]
    with pytest.raises(InputError, match=r"measurements has shape \(8, 39\), expected \(N, 40\)"):
        make(F, parameter=NUMBER[name]).fit().predict(Y[:, :-1])
    with pytest.raises(InputError, match="NaN or infinite values in 1 of 8 rows"):
        bad = Y.copy()
        bad[3, 3] = np.nan
        make(F, parameter=NUMBER[name]).fit().predict(bad)
    with pytest.raises(InputError, match="use a number or one of gcv"):
        make(F, parameter="magic").fit()
    with pytest.raises(InputError, match="finite number >= 0"):
        make(F, parameter=-1.0).fit()
    with pytest.raises(InputError, match="tau=-1"):
        make(F, parameter=NUMBER[name], tau=-1.0).fit()
    with pytest.raises(InputError, match=r"pylops\.MatrixMult"):
        make(F.A, parameter=NUMBER[name]).fit()
    if hasattr(make(F), "max_iter"):
        with pytest.raises(InputError, match="max_iter=0"):
            make(F, parameter=NUMBER[name], max_iter=0).fit()
    with pytest.raises(InputError, match="needs data"):
        make(F, parameter="validation").fit()
    with pytest.raises(InputError, match="in pairs"):
        make(F, parameter="validation").fit(X[:3], Y)
    with pytest.raises(InputError, match="compares with the truth"):
        make(F, parameter="oracle").fit().predict(Y)
    with pytest.raises(NotFittedError):
        make(F).predict(Y)


@pytest.mark.parametrize("name", METHODS)
def test_parameters_can_be_read_and_cloned(problem, name):
    method = METHODS[name](problem[0], parameter=NUMBER[name])
    assert clone(method).get_params()["parameter"] == NUMBER[name]


@pytest.mark.parametrize("name", METHODS)
def test_a_fitted_method_is_stored_and_comes_back(name, tmp_path):
    F = invae.Radon((8, 8), n_angles=6)
    X = np.random.default_rng(0).random((5, 64))
    Y = F.apply(X)
    method = METHODS[name](F, parameter="validation").fit(X, Y)
    again = invae.load(invae.save(method, tmp_path / "method.h5"))
    assert type(again) is type(method) and again.parameter_ == method.parameter_
    np.testing.assert_allclose(again.predict(Y), method.predict(Y), rtol=1e-9, atol=1e-12)
    fresh = invae.load(invae.save(clone(method), tmp_path / "fresh.h5"))
    with pytest.raises(NotFittedError):
        fresh.predict(Y)
