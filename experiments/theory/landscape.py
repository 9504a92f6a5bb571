"""The loss landscape of penalised linear autoencoders: where training ends and what it could meet on the way.

Signals of 20 entries with sigma_i = (21 - i) / 5, 8 codes, penalty weight 10. The decay part leaves only
directions with sigma_i^2 above its weight, five of them for the sum loss: its minimum has rank 5 and still is
a minimum, with Morse index 0. Every critical point has W1 = W2^T as soon as there is decay, however little;
where the gap looks stuck the optimiser is slow, as L-BFGS and the law exp(-4 s t) of the balance show.
"""

from __future__ import annotations

import numpy as np

from invae.autoencoders.linear.landscape import Landscape, balance
from invae.autoencoders.linear.training import Trained, train
from invae.evaluation.results import Figure, Results, Table

__all__ = ["FULL", "QUICK", "TITLE", "run"]

TITLE = "Loss landscapes of linear autoencoders"
QUICK = {
    "m": 20,
    "n_samples": 30,
    "n_components": 8,
    "weight": 10.0,
    "sum_shares": [0.5, 0.05, 0.005],
    "adam_steps": 1000,
    "adam_rate": 1e-3,
    "lbfgs_steps": 60,
    "checked_points": 32,
}
FULL = {**QUICK, "adam_steps": 20_000, "lbfgs_steps": 400, "checked_points": 600}


def run(config: dict, rng: np.random.Generator) -> Results:
    results = Results("landscape", TITLE, __doc__.strip().partition("\n\n")[2], config, [], [])
    gamma = second_moment(config, rng)
    w, k = config["weight"], config["n_components"]
    losses = {
        "unregularised": Landscape(gamma, k),
        "product": Landscape(gamma, k, w),
        "sum": Landscape(gamma, k, 0.0, w),
        "synthetic": Landscape(gamma, k, w / 2, w / 2),
    }
    trained = train_all(results, losses, config, rng)
    results.figures.append(weight_figure(losses, trained))
    results.tables.append(index_table(losses, config, rng))
    results.figures.append(index_figure(losses))
    gap_study(results, gamma, config, rng)
    results.figures.append(balance_figure(gamma, config, rng))
    return results


def second_moment(config: dict, rng: np.random.Generator) -> np.ndarray:
    """X X^T for X (m, n) with random singular vectors and sigma_i = (m + 1 - i) / 5."""
    m = config["m"]
    U, _ = np.linalg.qr(rng.standard_normal((m, m)))
    V, _ = np.linalg.qr(rng.standard_normal((config["n_samples"], m)))
    X = (U * (np.arange(m, 0, -1) / 5)) @ V.T
    return X @ X.T


def train_all(
    results: Results, losses: dict[str, Landscape], config: dict, rng: np.random.Generator
) -> dict[str, Trained]:
    """Every loss from one start by Adam and by L-BFGS, against its closed form."""
    start = losses["sum"].random_weights(rng)
    rows, kept = [], {}
    for name, J in losses.items():
        for optimizer, n_steps in (("adam", config["adam_steps"]), ("lbfgs", config["lbfgs_steps"])):
            every = max(1, n_steps // 100)
            trained = train(J, optimizer, n_steps, initial=start, record_every=every, tol=1e-8)
            kept[name] = trained
            rows.append(
                {
                    "loss": name,
                    "optimiser": optimizer,
                    "closed form": J.minimum,
                    "trained": trained.trajectory.loss[-1],
                    "relative excess": trained.trajectory.loss[-1] / J.minimum - 1,
                    "transpose gap": trained.trajectory.transpose_gap[-1],
                    "rank": int(np.linalg.matrix_rank(trained.decoder @ trained.encoder, tol=1e-3)),
                    "seconds": trained.trajectory.seconds[-1],
                }
            )
    results.tables.append(
        Table("minima", "Trained minima against the closed form; gap ||W1 - W2^T||^2", rows)
    )
    return kept


def weight_figure(losses: dict[str, Landscape], trained: dict[str, Trained]) -> Figure:
    """Heat maps of W1, W2^T and their difference, in the coordinates of the principal directions."""
    rows = []
    for name, run in trained.items():
        U = losses[name].directions
        W1, W2t = run.encoder @ U, run.decoder.T @ U
        reach = max(np.abs(W1).max(), np.abs(W2t).max())
        rows.append({"label": name, "images": [W1, W2t, W1 - W2t], "symmetric": True, "vmax": reach})
    caption = "Weights trained by L-BFGS, one code per row, one principal direction per column."
    return Figure(
        "images", caption, {"rows": rows, "titles": ["W1", "W2^T", "W1 - W2^T"], "size": 2.6}, "weights"
    )


def index_table(losses: dict[str, Landscape], config: dict, rng: np.random.Generator) -> Table:
    """How many critical manifolds there are, and the index formula against Hessians at some of them."""
    rows = []
    for name, J in losses.items():
        right, source, total = 0, 0, 0
        for indices in some_sets(J, config["checked_points"], rng):
            size = len(indices)
            negative, zero, _ = J.inertia(*J.critical_point(indices))
            displaced = sum(indices) - size * (size - 1) // 2
            right += (negative, zero) == (J.morse_index(indices), J.manifold_dimension(size))
            source += negative == displaced + (J.n_components - size) * (J.n_features - size)
            total += 1
        rows.append(
            {
                "loss": name,
                "directions above the decay": J.n_active,
                "critical manifolds": J.n_critical_sets,
                "largest index": max(J.index_counts()),
                "Hessians computed": total,
                "agree, (k - l)(m_s - l)": right,
                "agree, (k - l)(m - l)": source,
            }
        )
    return Table("indices", "Critical manifolds and their Morse indices, formula against Hessian", rows)


def some_sets(J: Landscape, n: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """All index sets where there are at most ``n``, else ``n`` random ones with the minimum among them."""
    if J.n_critical_sets <= n:
        return list(J.critical_sets())
    sizes = rng.integers(0, min(J.n_components, J.n_active) + 1, n - 1)
    drawn = [tuple(sorted(rng.permutation(J.n_active)[:size].tolist())) for size in sizes]
    return [tuple(range(min(J.n_components, J.n_active))), *drawn]


def index_figure(losses: dict[str, Landscape]) -> Figure:
    """Critical manifolds by Morse index; the product loss has the counts of the unregularised one."""
    series = []
    for name in ("product", "synthetic", "sum"):
        counts = losses[name].index_counts()
        series.append({"label": name, "x": list(counts), "y": list(counts.values()), "style": "both"})
    data = {"series": series, "xlabel": "Morse index", "ylabel": "critical manifolds", "yscale": "log"}
    return Figure(
        "lines", "All critical manifolds by their number of descending directions.", data, "indices"
    )


def gap_study(results: Results, gamma: np.ndarray, config: dict, rng: np.random.Generator) -> None:
    """||W1 - W2^T||^2 during training of the synthetic loss, for ever smaller shares of decay."""
    rows, panels = [], []
    for optimizer, n_steps in (("adam", config["adam_steps"]), ("lbfgs", config["lbfgs_steps"])):
        series = []
        for share in config["sum_shares"]:
            w = config["weight"]
            J = Landscape(gamma, config["n_components"], (1 - share) * w, share * w)
            every = max(1, n_steps // 100)
            rate = config["adam_rate"] if optimizer == "adam" else None
            path = train(
                J, optimizer, n_steps, learning_rate=rate, record_every=every, tol=1e-8, rng=7
            ).trajectory
            gap = np.maximum(path.transpose_gap, 1e-18)
            series.append({"label": f"w_sigma = {share:g}", "x": path.seconds, "y": gap})
            rows.append(
                {
                    "w_sigma": share,
                    "optimiser": optimizer,
                    "transpose gap, start": path.transpose_gap[0],
                    "end": path.transpose_gap[-1],
                    "steps": int(path.steps[-1]),
                    "seconds": path.seconds[-1],
                    "relative excess loss": path.loss[-1] / J.minimum - 1,
                }
            )
        panels.append({"title": optimizer, "series": series, "xlabel": "seconds", "yscale": "log"})
    panels[0]["ylabel"] = "||W1 - W2^T||^2"
    results.tables.append(Table("transpose", "The gap ||W1 - W2^T||^2 at small decay; theory: 0", rows))
    rate = f"{config['adam_rate']:g}"
    caption = f"The gap closes at every decay: slowly by Adam at its usual rate {rate}, fast by L-BFGS."
    results.figures.append(Figure("lines", caption, {"panels": panels, "columns": 2}, "transpose"))


def balance_figure(gamma: np.ndarray, config: dict, rng: np.random.Generator) -> Figure:
    """||W1 W1^T - W2^T W2|| along the gradient flow against exp(-4 s t)."""
    series = []
    for i, share in enumerate(config["sum_shares"]):
        s = share * config["weight"]
        J = Landscape(gamma, config["n_components"], (1 - share) * config["weight"], s)
        times = np.linspace(0.0, 0.5, 26)
        measured = np.array([balance(*W) for W in zip(*J.gradient_flow(*J.random_weights(7), times))])
        law = measured[0] * np.exp(-4 * s * times)
        series.append(
            {"label": f"s = {s:g}", "x": times[::3], "y": measured[::3], "style": "markers", "color": i}
        )
        series.append({"label": "exp(-4 s t)" if i == 0 else None, "x": times, "y": law, "color": i})
    data = {"series": series, "xlabel": "time", "ylabel": "||W1 W1^T - W2^T W2||", "yscale": "log"}
    return Figure("lines", "The balance under gradient flow (markers) and its law (lines).", data, "balance")
