"""One example of data for every kind of figure."""

import numpy as np
import pytest


def sphere(q, radius=60.0):
    x = q * radius
    return 120 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2 + 0.05


def disc(size, x, y, r):
    a, b = np.mgrid[:size, :size]
    return ((a - y) ** 2 + (b - x) ** 2 < r**2).astype(float)


@pytest.fixture
def gallery():
    """Kind of figure -> data, rich enough to reach every optional part."""
    return make_gallery(np.random.default_rng(0))


def make_gallery(rng):
    x = np.linspace(0, 6, 60)
    q = np.geomspace(0.004, 0.35, 150)
    clean = sphere(q)
    sigma = 0.03 * clean + 0.01
    intensity = clean + sigma * rng.normal(size=q.size)
    intensity[[3, 70]] = [np.nan, -0.2]
    decoded = intensity + 0.5 * sigma * rng.uniform(-1, 1, q.size)
    truth = disc(48, 20, 22, 12) + 0.5 * disc(48, 32, 30, 8)
    noisy = [truth + s * rng.normal(size=truth.shape) for s in (0.2, 0.1, 0.05)]
    rank = np.arange(1, 65)
    risk = 10 * 0.93**rank + 0.3
    spots = rng.poisson(2000 / (1 + np.hypot(*(np.mgrid[:90, :120] - 45)) ** 1.5))
    mask = np.zeros(spots.shape, bool)
    mask[40:46] = True
    curve = {"title": "sphere, R = 60 Å", "q": q, "intensity": intensity, "sigma": sigma, "decoded": decoded}
    return {
        "lines": {
            "panels": [
                {
                    "series": [
                        {"label": "TV", "x": x, "y": np.sin(x), "band": (np.sin(x) - 0.2, np.sin(x) + 0.2)},
                        {"label": "linear", "x": x[::4], "y": np.cos(x[::4]), "yerr": 0.1, "style": "both"},
                    ],
                    "xlabel": "position",
                    "ylabel": "temperature [K]",
                    "title": "Backward heat",
                    "hlines": [{"at": 0.5, "label": "limit"}],
                },
                {
                    "series": [
                        {"x": x + 0.1, "y": np.exp(x), "style": style}
                        for style in ("steps", "markers", "dashed")
                    ],
                    "yscale": "log",
                    "xscale": "log",
                    "vlines": [{"at": 2, "label": "here"}],
                },
            ]
        },
        "images": {
            "titles": ["truth", "FBP", "TV", "Bayes-risk"],
            "rows": [
                {
                    "label": "ellipses",
                    "images": [truth, *noisy],
                    "notes": ["", ".132", ".057", ".056"],
                    "vmin": 0,
                    "vmax": 1.5,
                },
                {
                    "label": "error",
                    "images": [None, *[n - truth for n in noisy]],
                    "symmetric": True,
                    "bar": "error",
                },
            ],
        },
        "bars": {
            "groups": ["ellipses", "Gaussian fields", "photographs"],
            "series": [
                {"label": "FBP", "values": [0.13, 0.1, 0.13], "errors": [0.01, 0.01, 0.02]},
                {"label": "TV", "values": [0.057, 0.057, 0.083]},
                {"label": "Bayes-risk", "values": [0.056, 0.023, None]},
            ],
            "ylabel": "relative error",
            "values": ".3f",
            "hlines": [{"at": 0.1, "label": "ten per cent"}],
        },
        "heatmap": {
            "matrix": np.array([[1.0, 2.5, np.nan], [0.4, 1.1, 3.0]]),
            "rows": ["SZ3", "invae"],
            "columns": ["1e-1", "1e-2", "1e-3"],
            "bar": "ratio",
            "center": 1.0,
            "xlabel": "bound",
        },
        "scatter": {
            "series": [
                {"label": "SZ3", "x": [0.9, 1.8, 3.0], "y": [1e-1, 1e-2, 1e-3], "join": True},
                {
                    "label": "invae",
                    "x": [0.4, 0.8, 1.6],
                    "y": [1e-1, 1e-2, 1e-3],
                    "join": True,
                    "texts": ["a", "b", "c"],
                },
                {"label": "many", "x": rng.random(500) * 3 + 0.1, "y": rng.random(500) / 10 + 1e-3},
                {"label": "bars", "x": 1.0, "y": 0.05, "xerr": 0.1, "yerr": 0.01},
            ],
            "yscale": "log",
            "xlabel": "bits per value",
            "ylabel": "bound",
            "identity": True,
        },
        "risk_curve": {
            "curves": [
                {
                    "label": "radon",
                    "rank": rank,
                    "predicted": risk,
                    "measured_rank": rank[::6],
                    "measured": risk[::6] * (1 + 0.01 * rng.normal(size=11)),
                    "measured_error": 0.01 * risk[::6],
                },
                {"label": "blur", "rank": rank, "predicted": risk / 3},
            ],
            "chosen": 40,
        },
        "scattering_curves": {
            "curves": [
                curve | {"bound": 0.5},
                {"title": "no sigma", "q": q, "intensity": intensity, "decoded": decoded},
                {"title": "not decoded", "q": q, "intensity": intensity, "sigma": sigma},
                curve | {"title": "own residual", "residual": decoded - intensity, "residual_label": "ΔI"},
            ]
        },
        "guinier_kratky_porod": {
            **curve,
            "guinier": {"q_min": 0.004, "q_max": 0.025, "rg": 46.5, "i0": 120.0, "rg_error": 0.4},
            "guinier_decoded": {"q_min": 0.004, "q_max": 0.025, "rg": 46.6, "i0": 120.1},
            "porod": {"q_min": 0.15, "q_max": 0.3, "constant": 1e-4, "background": 0.05},
        },
        "frames": {
            "frames": [
                {
                    "title": "Pilatus, simulated",
                    "data": spots,
                    "decoded": spots + np.sqrt(np.maximum(spots, 1)) * rng.uniform(-0.5, 0.5, spots.shape),
                    "mask": mask,
                    "k": 0.5,
                    "ring_z": rng.normal(size=60) * 0.3,
                },
                {"title": "no decoding", "data": spots},
                {
                    "data": spots,
                    "decoded": spots,
                    "residual": 0.0 * spots,
                    "residual_label": "residual / bound",
                },
            ]
        },
    }
