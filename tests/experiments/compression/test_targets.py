from __future__ import annotations

import numpy as np
import pytest

from experiments.compression import targets
from experiments.compression.rates import BOUNDED, TRIVIAL, best_bits, violations
from experiments.compression.science import curve_physics_rows, frame_rows, real_curve_rows, ring_rows
from experiments.compression.sets import SIMULATED, log_floor, poisson_floor
from experiments.compression.verdict import target_figures, winner_rows
from experiments.shared.targets import judge
from invae.data.records import Curve
from invae.data.simulation.sasmodels_bridge import has_compiler
from invae.report.figures import render

EMPTY = {kind: [] for kind in targets.KINDS}


def rate(codec, bits, name="curves", bound="log:0.01", **more):
    row = {"set": name, "bound": bound, "samples": 9, "codec": codec, "bits / value": bits, "bytes": bits}
    return row | {"encode MB/s": 2.0, "decode MB/s": 4.0} | more


def test_the_floor_is_the_entropy_of_what_the_grid_leaves():
    expected = np.array([0.3, 4.0, 50.0, 3000.0])
    fine = log_floor(expected, np.full(4, 0.7), 1e-9)
    assert fine == pytest.approx(poisson_floor(expected), abs=1e-3)
    # A coarser grid leaves less to say; by sampling, what is said has that entropy.
    rng = np.random.default_rng(0)
    counts = rng.poisson(50.0, 200_000)
    cells = np.rint(np.log10(counts * 0.7) / 0.04)
    p = np.unique(cells, return_counts=True)[1] / len(cells)
    floor = log_floor(np.array([50.0]), np.array([0.7]), 0.02)
    assert floor == pytest.approx(-(p * np.log2(p)).sum(), abs=0.01)
    # Here cells are finer than counts at the low end and coarser at the high end.
    counts = rng.poisson(3000.0, 200_000)
    p = np.unique(np.rint(np.log10(counts * 0.7) / 2e-3), return_counts=True)[1] / len(counts)
    floor = log_floor(np.array([3000.0]), np.array([0.7]), 1e-3)
    assert floor == pytest.approx(-(p * np.log2(p)).sum(), abs=0.01)


def test_broken_values_are_counted():
    x = np.array([1.0, np.nan, -0.0, 5.0])
    assert violations(x, x.copy(), "abs:0.1") == 0
    assert violations(x, x + [0.2, 0, 0, 0], "abs:0.1") == 1
    assert violations(x, np.array([1.0, 2.0, 0.0, 5.0]), "abs:0.1") >= 1
    assert violations(x, x.astype(np.float32), "abs:0.1") == 4


def verdict(rates, curves_bytes, frames_bytes, kinds=EMPTY):
    rows = judge("compression_targets", target_figures(rates, kinds, curves_bytes, frames_bytes))
    return {row["target"]: row for row in rows}


def test_a_target_is_met_only_by_the_bytes():
    rates = [rate("invae", 1.0, broken=0), rate("SZ3", 2.6), rate("ZFP", 9.0)]
    rates.append(rate("grid + best lossless", 1.2))
    found = verdict(rates, 25_001, 25_000)
    best = found["curves, log:0.01: best of SZ3, SPERR, ZFP / ours"]
    assert best["met"] and best["measured"] == 2.6 and best["detail"].endswith("of SZ3")
    assert not found["curves, log:0.01: trivial grid / ours"]["met"]
    assert not found["model for curves, bytes"]["met"]
    assert found["model for frames, bytes"]["met"]
    assert found["values that break their bound"]["met"]
    assert found["real frames, lossless: JPEG XL / ours"]["met"] is None
    broken = [rates[0] | {"broken": 1}, *rates[1:]]
    assert not verdict(broken, 1, 1)["values that break their bound"]["met"]


def test_a_full_run_measures_every_target():
    codecs = ("invae", *BOUNDED, TRIVIAL, "JPEG XL")
    config = targets.FULL
    sets = {name: [*config["bounds"], *config["noisy_bounds"], "lossless"] for name in SIMULATED}
    sets |= {"curves, 1 alone": config["alone_bounds"], "real curves": config["real_bounds"]}
    sets |= {"real frames": [*config["sigma_bounds"], "lossless"]}
    rates = [
        rate(codec, 1.0, name, bound, broken=0, floor=1.0)
        for name, bounds in sets.items()
        for bound in dict.fromkeys(bounds)
        for codec in codecs
    ]
    kinds = EMPTY | {
        "rings": [{"codec": "invae", "rings": 2, "max |z|": 1.0, "rms z": 0.2}],
        "physics": [
            {"codec": "invae", "quantity": quantity, "curves": 3, "rms shift / sigma": 0.2, "p": 0.5}
            for quantity in ("Rg", "I(0)", "invariant", "run test over all errors, z")
        ],
    }
    found = verdict(rates, 1, 1, kinds)
    assert [name for name, row in found.items() if row["met"] is None] == []


def test_the_winner_is_the_shortest():
    rates = [rate("invae", 2.0), rate("SZ3", 1.5), rate("invae", 1.05, "counts 64", floor=1.0)]
    rates.append(rate("JPEG XL", 1.2, "counts 64"))
    first, second = winner_rows(rates, EMPTY)
    assert first["shortest"] == "SZ3" and first["rival / ours"] == 0.75
    assert second["shortest"] == "causal predictor, at the floor"
    assert best_bits(rates, ["nobody"])[0] == ""


def test_science_of_sigma_bounds_is_measured_on_curves_and_frames(rng):
    q = np.linspace(0.005, 0.25, 120)
    sigma = 0.02 * (0.1 + np.exp(-((25 * q) ** 2) / 3))
    curves = [
        Curve(q=q, intensity=np.exp(-((25 * q) ** 2) / 3) + rng.normal(0, sigma), sigma=sigma, name=f"{k}")
        for k in range(3)
    ]
    shifts = curve_physics_rows(curves)
    assert {"Rg", "I(0)", "run test over all errors, z"} <= {row["quantity"] for row in shifts}
    rates = real_curve_rows(curves, ["0.5sigma", "log:0.01"])
    ours = [row for row in rates if row["codec"] == "invae"]
    assert all(row["broken"] == 0 and 0 < row["bits / value"] < 64 for row in ours)
    frame = rng.poisson(30.0, (48, 40)).astype(np.int32)
    frame[3:5] = -1
    (first, *_) = ring_rows({"a": frame})
    assert first["codec"] == "invae" and 0 < first["rms z"] < 1
    rates = frame_rows({"a": frame, "b": frame[:, :32].copy()}, ["0.5sigma", "lossless"], [7])
    assert all(row["max error / bound"] <= 1 for row in rates)


@pytest.mark.skipif(not has_compiler(), reason="simulation needs a C compiler")
def test_the_benchmark_in_miniature():
    config = {
        **targets.QUICK,
        "sets": ["curves", "counts 64"],
        "models": ["sphere", "guinier_porod"],
        "n_points": 64,
        "n_curves": 8,
        "n_counts": 2,
        "alone": [1, 2],
        "n_real_curves": 0,
        "n_real_frames": 0,
        "n_random": 4000,
    }
    results = targets.run(config, np.random.default_rng(0))
    tables = {table.name: table for table in results.tables}
    assert "failed" not in tables
    rows = tables["targets"].rows
    assert next(row for row in rows if row["target"] == "values that break their bound")["met"]
    assert {"invae", "grid + best lossless"} <= set(tables["curves"].column("codec"))
    ours = next(row for row in tables["curves"].rows if row["codec"] == "invae")
    assert ours["with model"] > ours["model over 10^4"] > ours["bits / value"]
    picture, _ = render(results.figures[0].kind, results.figures[0].data)
    assert len(picture) > 1000
