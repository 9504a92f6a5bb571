"""What a run of the compressor measured for its targets, and who wins where."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.compression.rates import BOUNDED, FAST, TRIVIAL, best_bits
from experiments.shared.targets import figure

__all__ = ["target_figures", "winner_rows"]

RIVALS = {
    "best of SZ3, SPERR, ZFP": BOUNDED,
    "trivial grid": (TRIVIAL,),
    "SZ3": ("SZ3",),
    "JPEG XL": ("JPEG XL",),
}
INTO_TARGETS = {"Rg", "I(0)", "invariant"}

Rows = list[dict[str, Any]]


def target_figures(rates: Rows, kinds: dict[str, Rows], curves_bytes: int, frames_bytes: int) -> Rows:
    """Everything that was measured, by the names of targets.toml; ratios are a rival's bytes over ours."""
    figures = [
        figure("model for curves, bytes", curves_bytes),
        figure("model for frames, bytes", frames_bytes),
    ]
    for name, bound in pairs(rates):
        here = [r for r in rates if r["set"] == name and r["bound"] == bound]
        ours = mine(here)
        if ours is None:
            continue
        own = ours["bits / value"]
        for label, codecs in RIVALS.items():
            rival, bits = best_bits(here, codecs)
            if rival:
                detail = f"{own:.3f} against {bits:.3f} bits of {rival}"
                figures.append(figure(f"{name}, {bound}: {label} / ours", bits / own, detail))
        if "floor" in ours:
            over, detail = own - ours["floor"], f"floor {ours['floor']:.3f}"
            figures.append(figure(f"{name}, {bound}: bits above the floor", over, detail))
    figures += science_figures(kinds) + speed_figures(rates)
    checked = [r for r in rates if "broken" in r]
    values = sum(r["bytes"] * 8 / r["bits / value"] for r in checked)
    values += sum(r["checked"] for r in kinds["random"])
    broken = sum(r["broken"] for r in checked) + sum(r["broken"] for r in kinds["random"])
    return [*figures, figure("values that break their bound", broken, f"{values:.3g} values checked")]


def speed_figures(rates: Rows) -> Rows:
    many = [r for r in rates if r["codec"] == "invae" and r["set"] == "curves"]
    if not many:
        return []
    fast = [r["decode MB/s"] for r in rates if r["codec"] == FAST and r["set"] == "curves"]
    slowest = min(r["decode MB/s"] for r in many)
    worst = max(r["decode MB/s"] / r["encode MB/s"] for r in many)
    detail = f"fast model {min(fast):.1f}" if fast else ""
    return [
        figure("decoding of curves, MB/s at 4 bytes a value, slowest bound", slowest, detail),
        figure("encoding / decoding seconds, curves", worst, f"the worst of {len(many)} bounds"),
    ]


def science_figures(kinds: dict[str, Rows]) -> Rows:
    figures: Rows = []
    rings = [r for r in kinds["rings"] if r["codec"] == "invae"]
    if rings:
        total = sum(r["rings"] for r in rings)
        detail = f"{total} rings of {len(rings)} frames"
        rms = float(np.sqrt(sum(r["rings"] * r["rms z"] ** 2 for r in rings) / total))
        label = "rings at .5 sigma:"
        figures += [
            figure(f"{label} largest shift in its own sigma", max(r["max |z|"] for r in rings), detail),
            figure(f"{label} rms shift over all rings", rms, detail),
            figure(f"{label} rms shift, worst frame", max(r["rms z"] for r in rings), detail),
        ]
    for row in kinds["physics"]:
        quantity, detail = row["quantity"], f"{row['curves']} curves"
        if row["codec"] != "invae":
            continue
        if quantity.startswith("run test"):
            figures.append(figure("run test over all errors: median p", row["p"], detail))
        elif quantity in INTO_TARGETS:
            name = f"{quantity} at .5 sigma: rms shift in its own sigma"
            figures.append(figure(name, row["rms shift / sigma"], detail))
    return figures


def winner_rows(rates: Rows, kinds: dict[str, Rows]) -> Rows:
    """Bits of each way to code, and the name of the shortest."""
    rows: Rows = []
    for name, bound in pairs(rates):
        here = [r for r in rates if r["set"] == name and r["bound"] == bound]
        ours = mine(here)
        rivals = [r["codec"] for r in here if not r["codec"].startswith("invae")]
        rival, bits = best_bits(here, rivals)
        if ours is None or not rival:
            continue
        value = ours["bits / value"]
        row = {"set": name, "demand": bound, "causal predictor": value}
        row |= {"best rival": bits, "which": rival, "rival / ours": bits / value}
        if "floor" in ours:
            row |= {"floor": ours["floor"], "above the floor": value - ours["floor"]}
        row["shortest"] = "causal predictor" if value < bits else rival
        if "floor" in ours and value - ours["floor"] < 0.1 * max(ours["floor"], 1.0):
            row["shortest"] += ", at the floor"
        rows.append(row)
    return rows + [
        l2_winner(name, X, kinds["l2"]) for name, X in dict.fromkeys((r["set"], r["X"]) for r in kinds["l2"])
    ]


def l2_winner(name: str, X: float, rows: Rows) -> dict[str, Any]:
    """The shortest by relative L2, in bits per value where every sample is within X."""
    here = [r for r in rows if r["set"] == name and r["X"] == X]
    bits = {r["coder"]: 8 * r["bytes, all within X"] / sample_values(r) for r in here}
    sparse = min(v for k, v in bits.items() if k.startswith("sparse"))
    causal = bits.get("invae, bounded mode", float("nan"))
    others = {k: v for k, v in bits.items() if not k.startswith(("sparse", "invae"))}
    rival = min(others, key=others.__getitem__)
    ranking = {"sparse codes": sparse, "causal predictor": causal, rival: others[rival]}
    return {
        "set": f"{name}, relative L2",
        "demand": f"l2:{X}",
        "sparse codes": sparse,
        "causal predictor": causal,
        "best rival": others[rival],
        "which": rival,
        "rival / ours": others[rival] / min(sparse, causal),
        "shortest": min(ranking, key=ranking.__getitem__),
    }


def sample_values(row: dict[str, Any]) -> float:
    return 8 * row["bytes / sample"] / row["bits / value"]


def mine(here: Rows) -> dict[str, Any] | None:
    return next((r for r in here if r["codec"] == "invae"), None)


def pairs(rates: Rows) -> list[tuple[str, str]]:
    return list(dict.fromkeys((r["set"], r["bound"]) for r in rates))
