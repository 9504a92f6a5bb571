"""What was wanted of the compressor and what was measured: rows for the targets, and who wins where."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.compression.rates import BOUNDED, FAST, TRIVIAL, best_bits
from experiments.shared.targets import at_least, at_most, row

__all__ = ["target_rows", "winner_rows"]

MODEL_LIMIT = 25_000
GRID_RATIO = 1.3
DECODE = 5.0
STACKED = {"log:0.1": 2.5, "log:0.01": 2.5, "log:0.001": 2.5, "log:0.0001": 2.0}

Rows = list[dict[str, Any]]


def target_rows(rates: Rows, kinds: dict[str, Rows], curves_bytes: int, frames_bytes: int) -> Rows:
    """One row a target; those whose data are absent are left out."""
    rows = [
        at_most("model for curves, bytes", curves_bytes, MODEL_LIMIT),
        at_most("model for frames, bytes", frames_bytes, MODEL_LIMIT),
    ]
    for name, bound in pairs(rates):
        here = [r for r in rates if r["set"] == name and r["bound"] == bound]
        label = f"{name}, {bound}"
        ours = mine(here)
        if ours is None:
            continue
        if name in ("curves", "curves, unseen models"):
            rows.append(against(label, here, ours, BOUNDED, STACKED[bound]))
            rows.append(against(label, here, ours, (TRIVIAL,), GRID_RATIO))
        elif name == "curves, 1 alone":
            rows.append(against(label, here, ours, BOUNDED, 6.0))
        elif name == "curves, noisy" and bound == "log:0.01":
            over = ours["bits / value"] - ours["floor"]
            rows.append(at_most(f"{label}: bits above the floor", over, 0.5, f"floor {ours['floor']:.3f}"))
        elif name.startswith("frames"):
            wanted = 4.0 if "centred" in name else 2.0
            rows.append(against(label, here, ours, BOUNDED, wanted))
            rows.append(against(label, here, ours, (TRIVIAL,), GRID_RATIO))
        elif name == "counts 64":
            over = ours["bits / value"] - ours["floor"]
            rows.append(at_most(f"{label}: bits above the floor", over, 0.2, f"floor {ours['floor']:.3f}"))
            rows.append(against(label, here, ours, ("JPEG XL",), 1.09))
        elif name == "real frames" and bound == "lossless":
            rows.append(against(label, here, ours, ("JPEG XL",), 1.0))
        elif name in ("real frames", "real curves") and bound == "0.5sigma":
            rows.append(against(label, here, ours, ("SZ3",), 1.0))
    rows += science_targets(kinds)
    decode = [r["decode MB/s"] for r in rates if r["codec"] == "invae" and r["set"].startswith("curves")]
    many = [r for r in rates if r["codec"] == "invae" and r["set"] == "curves"]
    if many:
        slowest = min(r["decode MB/s"] for r in many)
        fast = [r["decode MB/s"] for r in rates if r["codec"] == FAST and r["set"] == "curves"]
        detail = f"fast model {min(fast):.1f}" if fast else ""
        label = "decode of curves, MB/s at 4 bytes a value, slowest bound"
        rows.append(at_least(label, slowest, DECODE, detail))
        worst = max(r["decode MB/s"] / r["encode MB/s"] for r in many)
        rows.append(at_most("encode / decode seconds, curves", worst, 3.0, f"{len(decode)} runs"))
    checked = [r for r in rates if "broken" in r]
    values = sum(r["bytes"] * 8 / r["bits / value"] for r in checked) + sum(
        r["checked"] for r in kinds["random"]
    )
    broken = sum(r["broken"] for r in checked) + sum(r["broken"] for r in kinds["random"])
    rows.append(at_most("bound: values broken", broken, 0, f"{values:.3g} values checked"))
    return rows


def against(
    label: str, here: Rows, ours: dict[str, Any], names: tuple[str, ...], wanted: float
) -> dict[str, Any]:
    """Rival's bytes over ours, against the best of ``names``."""
    name, bits = best_bits(here, names)
    if not name:
        return row(
            f"{label}: {' / '.join(names)}", f">= {wanted:g}", float("nan"), False, "no rival installed"
        )
    detail = f"{ours['bits / value']:.3f} against {bits:.3f} bits"
    return at_least(f"{label}: x {name}", bits / ours["bits / value"], wanted, detail)


def science_targets(kinds: dict[str, Rows]) -> Rows:
    rows: Rows = []
    rings = [r for r in kinds["rings"] if r["codec"] == "invae"]
    if rings:
        detail = f"{sum(r['rings'] for r in rings)} rings of {len(rings)} frames"
        rows.append(at_most("rings at .5 sigma: max |z|", max(r["max |z|"] for r in rings), 1.22, detail))
        total = sum(r["rings"] for r in rings)
        rms = float(np.sqrt(sum(r["rings"] * r["rms z"] ** 2 for r in rings) / total))
        rows.append(at_most("rings at .5 sigma: rms z over all rings", rms, 0.35, detail))
        rows.append(at_most("rings at .5 sigma: rms z, worst frame", max(r["rms z"] for r in rings), 0.35))
    for found in kinds["physics"]:
        if found["codec"] != "invae":
            continue
        text = f"{found['curves']} curves"
        if found["quantity"].startswith("run test"):
            rows.append(at_least("run test over all errors: median p", found["p"], 0.05, text))
        elif found["quantity"] in ("Rg", "I(0)", "invariant"):
            label = f"shift of {found['quantity']} at .5 sigma, rms in its own sigma"
            rows.append(at_most(label, found["rms shift / sigma"], 0.3, text))
    return rows


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
        found = {"set": name, "demand": bound, "causal predictor": value}
        found |= {"best rival": bits, "which": rival, "rival / ours": bits / value}
        if "floor" in ours:
            found |= {"floor": ours["floor"], "above the floor": value - ours["floor"]}
        found["shortest"] = "causal predictor" if value < bits else rival
        if "floor" in ours and value - ours["floor"] < 0.1 * max(ours["floor"], 1.0):
            found["shortest"] += ", at the floor"
        rows.append(found)
    for name, X in dict.fromkeys((r["set"], r["X"]) for r in kinds["l2"]):
        here = [r for r in kinds["l2"] if r["set"] == name and r["X"] == X]
        bits = {r["coder"]: 8 * r["bytes, all within X"] / sample_values(r) for r in here}
        sparse = min(v for k, v in bits.items() if k.startswith("sparse"))
        causal = bits.get("invae, bounded mode", float("nan"))
        others = {k: v for k, v in bits.items() if not k.startswith(("sparse", "invae"))}
        rival = min(others, key=others.__getitem__)
        shortest = min(
            ("sparse codes", sparse), ("causal predictor", causal), (rival, others[rival]), key=last
        )
        rows.append(
            {
                "set": f"{name}, relative L2",
                "demand": f"l2:{X}",
                "sparse codes": sparse,
                "causal predictor": causal,
                "best rival": others[rival],
                "which": rival,
                "rival / ours": others[rival] / min(sparse, causal),
                "shortest": shortest[0],
            }
        )
    return rows


def sample_values(found: dict[str, Any]) -> float:
    return 8 * found["bytes / sample"] / found["bits / value"]


def last(pair: tuple[str, float]) -> float:
    return pair[1]


def mine(here: Rows) -> dict[str, Any] | None:
    return next((r for r in here if r["codec"] == "invae"), None)


def pairs(rates: Rows) -> list[tuple[str, str]]:
    return list(dict.fromkeys((r["set"], r["bound"]) for r in rates))
