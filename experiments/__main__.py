"""Run experiments by name, compare their figures with the expected ones, write a report or keep the run."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments import BENCHMARKS, NAMES, STUDIES
from experiments.shared.expected import deviations
from experiments.shared.pages import write_pages
from experiments.shared.records import commit, keep, record_of
from invae.data.arrays.atomic import atomic_path
from invae.errors import InvaeError
from invae.evaluation.results import Results, to_json
from invae.report import Report


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="  %(message)s", stream=sys.stderr)
    for noisy in ("matplotlib", "sasmodels", "numba"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if options.name == "pages":
        for path in write_pages():
            print(path.name)
        return 0
    names = NAMES if options.name == "all" else (options.name,)
    finished: list[Results] = []
    status = 0
    try:
        for name in names:
            finished.append(run_one(name, options.quick, options.seed, options.data))
    except InvaeError as error:
        print(f"experiments: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print(f"experiments: interrupted after {len(finished)} of {len(names)}", file=sys.stderr)
        status = 130
    if finished:
        write(finished, options)
    return status


def write(finished: list[Results], options: argparse.Namespace) -> None:
    """The JSON file and the page that were asked for, of the experiments that came to their end."""
    if options.json:
        with atomic_path(options.json, overwrite=True) as temporary:
            temporary.write_text(to_json(finished), encoding="utf-8")
    if options.html:
        Report(finished).write(options.html, overwrite=True)
        print(f"report: {options.html}")
    if options.keep:
        for results in finished:
            flag = " --quick" if options.quick else ""
            keep(record_of(results, options.quick, f"python -m experiments {results.name}{flag} --keep"))
        write_pages()


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("name", choices=("all", "pages", *NAMES, *BENCHMARKS))
    parser.add_argument(
        "--quick", action="store_true", help="small configuration: seconds instead of minutes"
    )
    parser.add_argument("--html", type=Path, metavar="REPORT", help="write one self-contained HTML page")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all tables as JSON")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep the run in experiments/results and write the pages of docs/results anew",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--data", nargs="+", default=[], metavar="FILE", help="image files for the experiments that read some"
    )
    options = parser.parse_args(arguments)
    if options.keep and (options.seed or options.data):
        parser.error("--keep is for runs with seed 0 and the data that a study finds by itself")
    return options


def run_one(name: str, quick: bool, seed: int, files: Sequence[str] = ()) -> Results:
    """Run one experiment, print its tables, and say where it left the expected figures."""
    module = importlib.import_module(f"experiments.{STUDIES[name]}")
    config = dict(module.QUICK if quick else module.FULL)
    if files and "files" in config:
        config["files"] = list(files)
    print(f"{name}: {module.TITLE}", file=sys.stderr)
    start, version = time.perf_counter(), commit()
    results = module.run(config, np.random.default_rng(seed))
    results.seconds = time.perf_counter() - start
    results.environment["commit"] = version
    print(f"\n## {module.TITLE} ({results.seconds:.0f} s)\n\n{results.to_text()}")
    if seed == 0 and not files:
        for line in deviations(results, quick):
            print(f"  unexpected: {line}", file=sys.stderr)
    return results


if __name__ == "__main__":
    sys.exit(main())
