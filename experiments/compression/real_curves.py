"""Real scattering curves through the compressor: bytes on disk, bounds verified, rivals under the same bound.

The curves are the one-dimensional examples that the sasdata package brings along: instruments from several
laboratories, q, I, dI and headers. The first table stores whole records; the others code the intensities
alone under the same bound with every codec, so that nothing but the values counts.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

import invae
from experiments.shared.timing import REPEATS
from invae.data.records import Curve, identical
from invae.errors import InvaeError, InvaeWarning
from invae.evaluation import compare_codecs
from invae.evaluation.results import Figure, Results, Table

__all__ = ["FULL", "QUICK", "TITLE", "example_curves", "run"]

TITLE = "Compression of real scattering curves"
QUICK = {
    "bounds": ["lossless", "rel:0.001", "log:0.01", "0.25sigma"],
    "value_bounds": ["log:0.01"],
    "shown": 3,
}
FULL = {**QUICK, "value_bounds": ["log:0.1", "log:0.01", "log:0.001", "log:0.0001", "lossless"], "shown": 6}

STORED = (
    ("everything exact", "lossless", "lossless"),
    ("I within dI / 4, dI exact", "0.25sigma", "lossless"),
    ("I within dI / 4, dI within 1 %", "0.25sigma", "rel:0.01"),
)

log = logging.getLogger(__name__)


def run(config: dict[str, Any], rng: np.random.Generator) -> Results:
    results = Results("sas_compression", TITLE, __doc__, config)
    by_file, file_bytes, refused = example_curves()
    curves = [curve for own in by_file.values() for curve in own]
    log.info("%d curves of %d files; %d files refused", len(curves), len(file_bytes), len(refused))
    results.tables.append(record_table(curves, sum(file_bytes.values()), len(file_bytes), config["bounds"]))
    results.tables.append(parts_table(curves))
    results.tables.append(deviations_table(by_file, file_bytes))
    results.figures.append(bytes_figure(results.tables[-1]))
    usable = {f"{i}": c.intensity for i, c in enumerate(curves) if np.isfinite(c.intensity).all()}
    stacked = np.concatenate([intensity.astype(np.float64) for intensity in usable.values()])
    for bound in config["value_bounds"]:
        for name, arrays in (("one by one", usable), ("all in one array", stacked)):
            title = f"{bound}, {name}"
            table = compare_codecs(arrays, bound, repeats=REPEATS, name=title)
            table.caption = (
                f"Intensities of {len(usable)} curves ({stacked.size:,} values), {title}; real bytes."
            )
            results.tables.append(table)
    results.tables.append(refused_table(refused))
    results.figures.append(curves_figure(curves, "0.25sigma", config["shown"], rng))
    return results


def example_curves() -> tuple[dict[str, list[Curve]], dict[str, int], dict[str, str]]:
    """Curves of sasdata's 1-D examples by file, the size of each file, and why others were refused."""
    import sasdata.example_data

    folder = Path(next(iter(sasdata.example_data.__path__))) / "1d_data"
    curves: dict[str, list[Curve]] = {}
    sizes: dict[str, int] = {}
    refused: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py" or not path.is_file():
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InvaeWarning)
                own = [record for record in invae.read(path) if isinstance(record, Curve)]
        except InvaeError as error:
            refused[path.name] = str(error).replace(str(folder) + "/", "")
            continue
        curves[path.name] = own
        sizes[path.name] = path.stat().st_size
    return curves, sizes, refused


def record_table(curves: list[Curve], file_bytes: int, n_files: int, bounds: list[str]) -> Table:
    """Whole records in one archive, by bound of the intensity; everything else is exact and checked to be."""
    array_bytes = sum(array.nbytes for curve in curves for array in curve.to_parts()[0].values())
    rows = [{"stored": f"{n_files} files as they are", "bytes": file_bytes, "files / bytes": 1.0}]
    rows.append(
        {"stored": "their arrays, raw", "bytes": array_bytes, "files / bytes": file_bytes / array_bytes}
    )
    for bound in bounds:
        chosen = invae.Bound.parse(bound)
        kept = [c for c in curves if chosen.kind != "sigma" or c.sigma is not None]
        blob = invae.compress(kept, bound=bound)
        decoded = invae.decompress(blob)
        worst = 0.0
        for before, after in zip(kept, decoded, strict=True):
            ratio = chosen.ratio(before.intensity, after.intensity, before.sigma, before.mask)
            worst = max(worst, float(ratio.max(initial=0.0)))
            if not identical(before.replace(values=after.intensity), after):
                raise RuntimeError(f"{before.name}: something beside the intensity changed")
        row = {
            "stored": f"archive, {bound}",
            "curves": len(kept),
            "bytes": len(blob),
            "max error / bound": worst,
        }
        if len(kept) == len(curves):
            row["files / bytes"] = file_bytes / len(blob)
        rows.append(row)
    caption = (
        f"{len(curves)} real curves with q, I, dI and all header text. Everything but I is exact; a bound "
        "in sigma leaves out the curves that have none."
    )
    return Table("whole records", caption, rows)


def parts_table(curves: list[Curve]) -> Table:
    """Where the bytes of a lossless archive go: every kind of array alone, and the texts of all records."""
    arrays: dict[str, list[np.ndarray]] = {}
    texts: dict[str, list[Any]] = {}
    for curve in curves:
        own, rest = curve.to_parts()
        for key, array in own.items():
            arrays.setdefault("other columns" if "/" in key else key, []).append(array)
        for key, text in rest.items():
            texts.setdefault(key, []).append(text)
    rows: list[dict[str, Any]] = []
    for key, values in arrays.items():
        wide = np.concatenate([np.asarray(a, np.float64).ravel() for a in values])
        size, coded = sum(a.nbytes for a in values), len(invae.compress(values))
        row = {"part": key, "raw bytes": size, "coded alone": coded, "raw / coded": size / coded}
        rows.append(row | {"distinct values": len(np.unique(wide)) / len(wide)})
    for key, contents in texts.items():
        plain = json.dumps(contents).encode()
        coded = len(zstandard.ZstdCompressor(level=19).compress(plain))
        rows.append({"part": f"text: {key}", "raw bytes": len(plain), "coded alone": coded})
    rows.sort(key=lambda row: -row["coded alone"])
    caption = (
        "Each kind of array of all curves in an archive of its own, lossless; texts as JSON through zstd. "
        "Most of these curves are one series of doubles with full mantissas, which nothing predicts."
    )
    return Table("where the bytes go", caption, rows)


def deviations_table(by_file: dict[str, list[Curve]], file_bytes: dict[str, int]) -> Table:
    """What exact error bars cost: the files whose curves all have dI, with dI exact and within 1 %."""
    chosen = {name: own for name, own in by_file.items() if own and all(c.sigma is not None for c in own)}
    records = [curve for own in chosen.values() for curve in own]
    size = sum(file_bytes[name] for name in chosen)
    rows: list[dict[str, Any]] = [{"stored": "the files as they are", "bytes": size, "files / bytes": 1.0}]
    for label, bound, sigma_bound in STORED:
        blob = invae.compress(records, bound=bound, sigma_bound=sigma_bound)
        worst = worst_errors(records, invae.decompress(blob), bound, sigma_bound)
        row = {"stored": label, "bytes": len(blob), "files / bytes": size / len(blob)}
        rows.append(row | {"max error of I / bound": worst[0], "max error of dI / bound": worst[1]})
    caption = (
        f"{len(records)} curves of the {len(chosen)} files whose curves all have error bars dI; one archive "
        "with q, I, dI and all header text; bounds checked on every decoded value."
    )
    return Table("what error bars cost", caption, rows)


def worst_errors(
    before: list[Curve], after: list[Curve], bound: str, sigma_bound: str
) -> tuple[float, float]:
    """Largest errors of I and dI in units of their bounds; both are 0 where the copy is exact."""
    pairs = list(zip(before, after, strict=True))
    own, deviations = invae.Bound.parse(bound), invae.Bound.parse(sigma_bound)
    return (
        max(own.max_ratio(a.intensity, b.intensity, a.sigma, a.mask) for a, b in pairs),
        max(deviations.max_ratio(np.asarray(a.sigma), np.asarray(b.sigma)) for a, b in pairs),
    )


def bytes_figure(table: Table) -> Figure:
    """The table as bars, for the README."""
    values = [row["bytes"] / 1e6 for row in table.rows]
    data = {
        "groups": [row["stored"] for row in table.rows],
        "series": [{"values": values}],
        "xlabel": "megabytes",
        "horizontal": True,
        "values": ".2f",
    }
    return Figure("bars", table.caption, data, "bytes of real curves")


def refused_table(refused: dict[str, str]) -> Table:
    rows = [{"file": name, "why": why} for name, why in refused.items()]
    return Table(
        "not read as curves", "Files of the same folder that are no curves, with what the reader says.", rows
    )


def curves_figure(curves: list[Curve], bound: str, n: int, rng: np.random.Generator) -> Figure:
    """Curves with error bars and their decoded twins; residuals stay within the bound."""
    usable = [c for c in curves if c.sigma is not None and np.all(c.sigma > 0) and len(c.q) > 60]
    chosen = [usable[i] for i in np.sort(rng.permutation(len(usable))[:n])]
    decoded = invae.decompress(invae.compress(chosen, bound=bound))
    width = invae.Bound.parse(bound).value
    drawn = [
        {
            "title": before.name or Path(before.source).name,
            "q": before.q,
            "intensity": before.intensity,
            "sigma": before.sigma,
            "decoded": after.intensity,
            "bound": width,
        }
        for before, after in zip(chosen, decoded, strict=True)
    ]
    return Figure("scattering_curves", f"Real curves and what bound {bound} decodes to.", {"curves": drawn})
