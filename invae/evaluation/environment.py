"""The circumstances of a measurement: library versions, processor, time."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["environment"]

LIBRARIES = (
    "invae",
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-image",
    "pylops",
    "torch",
    "numba",
    "h5py",
    "sasdata",
    "sasmodels",
    "imagecodecs",
    "astra-toolbox",
)


def environment() -> dict[str, Any]:
    """Circumstances of a measurement: library versions, processor, usable cores, load, time (UTC)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_name(),
        "cores": cores,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {name: number for name in LIBRARIES if (number := _version(name)) is not None},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
