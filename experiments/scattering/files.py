"""What the readers make of every file of a folder, and what physics the curves give.

Each file is read to the last bit or refused with one sentence; "second parse" says what another parser than
ours found equal. Radii of gyration of proteins are compared
with the values their files state, simulated spheres with the radius they were made of; every model is timed.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from experiments.scattering.second_parser import DIFFERS, second_opinion
from invae.data import inventory, read
from invae.data.records import Curve
from invae.data.simulation.curves import measure_cost, simulate_curves
from invae.errors import InvaeWarning
from invae.evaluation import fit_guinier
from invae.evaluation.results import Results, Table

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Reading scattering data"
QUICK = {"folders": ["1d_data"], "beside": False, "models": ["sphere", "guinier", "dab"], "n_spheres": 4}
FULL = {"folders": [""], "beside": True, "models": "all", "n_spheres": 20}

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
# Stated in the analysis block at the end of each file (BioXTAS RAW): Rg, its error, I(0), last point used.
STATED = {
    "glucose_isomerase.dat": (33.607769, 0.230138, 0.061224646, 49),
    "lys_saxs.dat": (13.912779, 0.050961, 0.045643880, 144),
}


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("scattering_files", TITLE, __doc__, config)
    for name, folder in folders(config).items():
        results.tables += inventory_tables(name, folder)
    results.tables.append(radii_table(config, rng))
    cost = measure_cost(config["models"], draws=3, seconds=3.0)
    caption = "One monodisperse curve of 512 points, by model; compilation is not counted."
    results.tables.append(Table("simulation cost", caption, cost))
    return results


def folders(config: dict[str, Any]) -> dict[str, Path]:
    """Folders to read: sasdata's examples, and the data beside the checkout where they are."""
    import sasdata.example_data

    examples = Path(next(iter(sasdata.example_data.__path__)))
    folders = {f"sasdata examples {part}".strip(): examples / part for part in config["folders"]}
    if config["beside"] and BESIDE.is_dir():
        folders |= {part: BESIDE / part for part in ("sas1d", "sas2d")}
    return folders


def inventory_tables(name: str, folder: Path) -> list[Table]:
    """What was kept of each file that was read; why the others were refused."""
    rows = [row for row in inventory(folder) if not row["file"].endswith((".py", ".pyc"))]
    kept = ("file", "bytes", "format", "records", "values", "shape", "dtype", "nan", "negative", "q_zero")
    read_rows = []
    for row in rows:
        if row["error"] is None:
            chosen = {"file": row["file"], "second parse": opinion(folder / row["file"])}
            chosen |= {key: row.get(key) for key in kept}
            chosen |= {
                "kept": ", ".join(row["kept"]),
                "header": row["header_characters"],
                "q unit": row["q_unit"],
            }
            read_rows.append(chosen)
    refused = [
        {"file": row["file"], "says": row["error"].replace(f"{folder}/", "")} for row in rows if row["error"]
    ]
    confirmed = sum(bool(row["second parse"]) and DIFFERS not in row["second parse"] for row in read_rows)
    differs = sum(DIFFERS in row["second parse"] for row in read_rows)
    caption = (
        f"{name}: {len(read_rows)} of {len(rows)} files are read; a second parse confirms {confirmed} to the "
        f"last bit, differs for {differs}, and knows no way into {len(read_rows) - confirmed - differs}."
    )
    tables = [Table(f"read: {name}", caption, read_rows)]
    if refused:
        tables.append(Table(f"refused: {name}", f"{name}: what the reader says of the others.", refused))
    return tables


def opinion(path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InvaeWarning)
        return second_opinion(path, read(path))


def radii_table(config: dict[str, Any], rng: np.random.Generator) -> Table:
    """Guinier radii against stated ones."""
    rows = []
    for name, (rg, error, i0, last) in STATED.items():
        path = BESIDE / "sas1d" / "ascii" / "bioxtas_raw" / name
        if not path.is_file():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InvaeWarning)
            curve = read(path)[0]
        if not isinstance(curve, Curve):
            raise RuntimeError(f"{name} was read as {type(curve).__name__}, expected a curve")
        for how, q_range in (("range of the file", (curve.q[0], curve.q[last])), ("own range", None)):
            fit = fit_guinier(curve.q, curve.intensity, curve.sigma, q_range)
            row = {"curve": f"{name}, {how}", "stated Rg": rg, "Rg": fit.rg, "± Rg": fit.rg_error}
            row |= {"Rg / stated": fit.rg / rg, "(Rg - stated) / ±": (fit.rg - rg) / error}
            rows.append(row | {"stated I(0)": i0, "I(0)": fit.i0})
    # Half the random spheres are too large for the smallest q; those within reach are known before any fit.
    spheres = simulate_curves(8 * config["n_spheres"], models=["sphere"], rng=rng, noise=1e6)
    radii = np.sqrt(3 / 5) * np.array([parameters["radius"] for parameters in spheres.parameters])
    for index in np.flatnonzero(radii * spheres.q[0] < 0.3)[: config["n_spheres"]]:
        rg = float(radii[index])
        fit = fit_guinier(spheres.q, spheres.intensity[index], np.asarray(spheres.sigma)[index])
        row = {"curve": f"simulated sphere {index}", "stated Rg": rg, "Rg": fit.rg, "± Rg": fit.rg_error}
        rows.append(row | {"Rg / stated": fit.rg / rg, "flagged": "; ".join(fit.reasons)})
    caption = "Radius of gyration against the value that a file states or that a sphere of that radius has."
    return Table("radii of gyration", caption, rows)
