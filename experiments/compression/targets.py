"""The compressor against its targets: real bytes on held-out data, every value checked against its bound.

Rivals are at their best: every layout (samples as rows, columns, one line, a volume, an image) and setting
is tried on the very data that are reported, and the smallest counts; a bound in log10 or in sigma is given
to them in the domain where it is absolute. Bits are per value, headers included; "with model" adds the bytes
of the default model for curves (which ships with the package), "model over 10^4" shares them out over 10^4
curves. MB/s count 4 bytes a value, on a machine that may be busy: compare within a table; in the full
configuration those of the rivals are of the run that coded the set first. The floor is the entropy of the
counting noise for who knows every expected count.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

import invae
from experiments.compression import sparse_codes
from experiments.compression.rates import (
    BOUNDED,
    TRIVIAL,
    alone_rows,
    best_bits,
    model_size,
    set_rows,
    violations,
)
from experiments.compression.science import curve_physics_rows, frame_rows, real_curve_rows, ring_rows
from experiments.compression.sets import SIMULATED, real_curves, real_frames
from experiments.compression.verdict import target_figures, winner_rows
from experiments.shared.stages import run_stages
from experiments.shared.targets import target_table
from invae.codec.model import default_model
from invae.evaluation.results import Figure, Results, Table

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Targets of the compressor"
QUICK = {
    "sets": ["curves", "curves, noisy", "frames 64, centred", "counts 64"],
    "models": ["sphere", "ellipsoid", "guinier_porod", "lamellar", "dab"],
    "n_points": 128,
    "n_curves": 40,
    "stack": 2,
    "n_frames": 3,
    "n_large": 1,
    "n_counts": 4,
    "bounds": ["log:0.1", "log:0.01"],
    "noisy_bounds": ["log:0.01"],
    "frame_bounds": ["log:0.01"],
    "alone": [1, 4],
    "alone_bounds": ["log:0.01"],
    "sigma_bounds": ["0.5sigma"],
    "real_bounds": ["log:0.01", "0.5sigma"],
    "n_real_curves": 8,
    "series": 1,
    "n_real_frames": 1,
    "efforts": [7],
    "l2": None,
    "n_random": 2e4,
    "resume": False,
}
FULL = {
    "sets": list(SIMULATED),
    "models": None,
    "n_points": 256,
    "n_curves": 496,
    "stack": 8,
    "n_frames": 24,
    "n_large": 6,
    "n_counts": 60,
    "bounds": ["log:0.1", "log:0.01", "log:0.001", "log:0.0001"],
    "noisy_bounds": ["log:0.1", "log:0.01"],
    "frame_bounds": ["log:0.01", "log:0.001"],
    "alone": [1, 10, 50],
    "alone_bounds": ["log:0.1", "log:0.01", "log:0.001"],
    "sigma_bounds": ["0.25sigma", "0.5sigma", "1sigma"],
    "real_bounds": ["log:0.01", "log:0.001", "0.25sigma", "0.5sigma", "1sigma", "lossless"],
    "n_real_curves": 80,
    "series": 6,
    "n_real_frames": 14,
    "efforts": [7, 9],
    "l2": {
        "tolerances": [0.01, 0.02, 0.05],
        "models": "fast",
        "n_train": 800,
        "n_test": 100,
        "n_train_frames": 16,
        "n_test_frames": 6,
        "n_learned": 0,
    },
    "n_random": 1e7,
    "resume": True,
}
RANDOM_BOUNDS = ("abs:0.001", "rel:0.01", "log:0.01", "0.5sigma", "lossless")
RANDOM_SIZE = 1 << 17

Rows = list[dict[str, Any]]


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("compression_targets", TITLE, __doc__, config)
    models = default_model().to_bytes() + default_model().frames.to_bytes()
    model = hashlib.sha256(models).hexdigest()[:16]
    curves = real_curves(config["n_real_curves"], config["series"])
    frames = real_frames(config["n_real_frames"])
    stages = {name: set_stage(name, config) for name in config["sets"]}
    stages |= {
        "small sets": lambda own: small_rows(config),
        "random values": lambda own: labelled("random", random_rows(int(config["n_random"]), own)),
    }
    if curves:
        stages["real curves"] = lambda own: real_curve_rows(curves, config["real_bounds"], config["resume"])
        stages["curve physics"] = lambda own: labelled("physics", curve_physics_rows(curves))
    if frames:
        bounds = [*config["sigma_bounds"], "lossless"]
        stages["real frames"] = lambda own: frame_rows(frames, bounds, config["efforts"], config["resume"])
        stages["rings"] = lambda own: labelled("rings", ring_rows(frames))
    if config["l2"]:
        stages["l2"] = lambda own: l2_rows(config["l2"], own)
    measured = run_stages(stages, config | {"model": model}, rng, failed)
    rates = [row for row in measured if "table" not in row]
    kinds = {kind: [drop(row) for row in measured if row.get("table") == kind] for kind in KINDS}
    figures = target_figures(rates, kinds, model_size(curves=True), model_size(curves=False))
    results.figures.append(rate_figure(rates))
    results.tables.append(target_table("compression_targets", figures))
    results.tables.append(Table("who wins where", WINNERS, winner_rows(rates, kinds)))
    results.tables += rate_tables(rates)
    for kind, (name, text) in KINDS.items():
        if kinds[kind]:
            options: dict[str, Any] = {"best": {"bits / value": "min"}, "group": "X"} if kind == "l2" else {}
            results.tables.append(Table(name, text, kinds[kind], **options))
    return results


WINNERS = (
    "Bits per value. Bounded rows: the causal predictor against the best rival. L2 rows: sparse codes, the "
    "causal predictor and the best rival. Where a floor is known, what is left above it."
)
KINDS = {
    "l2": (
        "relative L2",
        "Every sample counts; nonzeros are not bytes. Rows as in the experiment sparse_codes.",
    ),
    "rings": (
        "rings",
        "Real detector frames at half a sigma: ring sums shifted, in units of their own sigma.",
    ),
    "physics": (
        "curve physics",
        "Real curves at half a sigma; shifts in units of each quantity's own sigma.",
    ),
    "random": ("violations", "Values decoded and checked one by one, and how many broke their bound."),
    "failed": ("failed", "Stages that did not come to their end."),
}


def set_stage(name: str, config: dict[str, Any]) -> Any:
    return lambda own: set_rows(SIMULATED[name](config), config["efforts"], config["resume"])


def small_rows(config: dict[str, Any]) -> Rows:
    curves = SIMULATED["curves"](config)
    rows = alone_rows(curves, config["alone"], config["alone_bounds"], config["resume"])
    return [row | {"set": f"curves, {row['samples']} alone"} for row in rows]


def labelled(kind: str, rows: Rows) -> Rows:
    return [{"table": kind, **row} for row in rows]


def drop(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "table"}


def failed(name: str, why: str) -> dict[str, Any]:
    return {"table": "failed", "stage": name, "why": why}


def l2_rows(config: dict[str, Any], rng: np.random.Generator) -> Rows:
    results = sparse_codes.run({**sparse_codes.QUICK, **config}, rng)
    rows: Rows = []
    for table in results.tables:
        if table.name in ("curves", "frames"):
            rows += [{"table": "l2", "set": table.name, **row} for row in table.rows]
    return rows


def random_rows(n_values: int, rng: np.random.Generator) -> Rows:
    """Random and adversarial values through every kind of bound, in both float types and in integers."""
    rows: Rows = []
    for bound in RANDOM_BOUNDS:
        checked = broken = 0
        largest = 0.0
        while checked < n_values / len(RANDOM_BOUNDS):
            size = min(RANDOM_SIZE, n_values)
            data, sigma = random_array(size, bound, rng)
            decoded = invae.decompress(invae.compress(data, bound=bound, sigma=sigma))
            broken += violations(data, decoded, bound, sigma)
            largest = max(largest, invae.Bound.parse(bound).max_ratio(data, decoded, sigma))
            checked += size
        rows.append(
            {
                "values": f"random and adversarial, {bound}",
                "checked": checked,
                "broken": broken,
                "max error / bound": float(largest),
            }
        )
    return rows


def random_array(size: int, bound: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    """Values over many magnitudes, with NaN, infinities, both zeros, subnormals and the largest floats."""
    rows = max(1, size // 256)
    kind = rng.integers(3)
    if kind == 0 and bound in ("0.5sigma", "lossless"):
        counts = rng.poisson(10 ** rng.uniform(-2, 5, (rows, 1)), (rows, size // rows))
        return counts.astype(rng.choice(["int32", "uint32", "int64"])), None
    dtype = np.float32 if kind == 1 else np.float64
    steps = rng.normal(0, 10 ** rng.uniform(-4, 0, (rows, 1)), (rows, size // rows))
    data = (np.exp(np.cumsum(steps, axis=1)) * rng.choice([1, 1, 1, -1], steps.shape)).astype(dtype)
    odd = np.array(
        [np.nan, np.inf, -np.inf, 0.0, -0.0, np.finfo(dtype).tiny / 4, np.finfo(dtype).max, -1e-30], dtype
    )
    where = rng.random(data.shape) < 0.01
    data[where] = rng.choice(odd, int(where.sum()))
    sigma = None
    if bound.endswith("sigma"):
        sigma = np.exp(rng.normal(0, 2, data.shape)).astype(dtype)
        strange = rng.random(data.shape) < 0.005
        sigma[strange] = rng.choice(np.array([0.0, np.nan, np.inf, -1.0], dtype), int(strange.sum()))
    return data, sigma


def rate_tables(rates: Rows) -> list[Table]:
    tables = []
    for name in dict.fromkeys(row["set"] for row in rates):
        rows = [{key: row[key] for key in row if key != "set"} for row in rates if row["set"] == name]
        caption = "Payload of everything in one archive; best layout and setting of each rival."
        if name == "real curves":
            caption = (
                "Each curve alone. Under sigma bounds sigma is known to every decoder and not counted "
                "(ours: its exact coding taken off)."
            )
        elif "alone" in name:
            caption = "Few curves in one archive; 1: each of many curves in an archive of its own."
        caption = f"{name[0].upper()}{name[1:]}. {caption}"
        tables.append(Table(name, caption, rows, best={"bits / value": "min"}, group="bound"))
    return tables


def rate_figure(rates: Rows) -> Figure:
    """Bound against rate, a panel for each set with more than one bound in log10."""
    panels = []
    for name in dict.fromkeys(row["set"] for row in rates):
        series: dict[str, dict[str, Any]] = {}
        for row in rates:
            if row["set"] != name or not row["bound"].startswith("log:"):
                continue
            line = series.setdefault(row["codec"], {"label": row["codec"], "x": [], "y": []})
            line["x"].append(row["bits / value"])
            line["y"].append(float(row["bound"][4:]))
        lines = [line | {"style": "both", "color": k} for k, line in enumerate(series.values())]
        if lines and max(len(line["x"]) for line in lines) > 1:
            panels.append(
                {"title": name, "series": lines, "yscale": "log", "xscale": "log"}
                | {"xlabel": "bits per value", "ylabel": "bound in log₁₀"}
            )
    caption = (
        "Rate against bound, every codec at its best, all values within the bound. Left and low is better."
    )
    if len(panels) == 1:
        return Figure("lines", caption, panels[0], "rates")
    if not panels:
        names = (*BOUNDED, TRIVIAL)
        bits = [best_bits(rates, [name])[1] for name in names]
        return Figure("bars", "Rates.", {"groups": list(names), "series": [{"values": bits}]}, "rates")
    return Figure("lines", caption, {"panels": panels, "columns": 2}, "rates")
