"""Fair comparisons: every method sees the same measurements, every codec the same arrays and the same bound.

Times are medians of repeated runs and are shown as ratios to one named rival of the same run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from invae.errors import BoundError, InputError
from invae.evaluation.domains import Domain, bound_text, domain_for
from invae.evaluation.errors import mean_with_spread, psnr, relative_error, ssim
from invae.evaluation.rates import Codec, Measurement, bits_per_value, ratio, timed
from invae.evaluation.results import Table
from invae.evaluation.rivals import codecs

__all__ = ["Comparison", "compare", "compare_codecs"]

log = logging.getLogger(__name__)

WARM_UP_VALUES = 2**16


@dataclass
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    table : Table
        One row per method.
    estimates : dict of str to ndarray
        Method -> reconstructions, shaped like the signals.
    errors : dict of str to ndarray of shape (N,)
        Method -> relative error of every sample.
    seconds : dict of str to float
        Method -> seconds per sample.
    """

    table: Table
    estimates: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    seconds: dict[str, float]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.table.rows

    def __str__(self) -> str:
        return self.table.to_text()


def compare(
    methods: Mapping[str, Any],
    signals: np.ndarray,
    measurements: np.ndarray,
    *,
    rival: str | None = None,
    repeats: int = 1,
    data_range: float | None = None,
    name: str = "comparison",
    caption: str = "",
    labels: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Run fitted methods on the same held-out measurements and measure error, similarity and time.

    Parameters
    ----------
    methods : dict of str to estimator
        Each fitted, with ``predict(measurements) -> signals``; a plain callable will do.
    signals : array of shape (N, n) or (N, *shape)
        The truth. PSNR and SSIM are given when the signals come shaped (SSIM: every axis >= 3 long).
    measurements : array of shape (N, m) or (N, *measurement_shape)
    rival : str, optional
        Name of the method whose time per sample is 1; default: the first.
    repeats : int
        Runs per method; the median time counts, after one untimed sample.
    data_range : float, optional
        Range of values for PSNR and SSIM; default: each sample's own.
    name, caption : str
        Of the resulting table.
    labels : dict, optional
        Columns put first in every row, e.g. ``{"family": "ellipses"}``.
    progress : callable, optional
        Called with (methods done, methods in all).

    Returns
    -------
    Comparison

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((4, 8, 8))
    >>> result = compare({"exact": lambda y: y, "half": lambda y: y / 2}, x, x)
    >>> [round(row["error"], 3) for row in result.rows]
    [0.0, 0.5]
    """
    signals, measurements = np.asarray(signals), np.asarray(measurements)
    if not methods:
        raise InputError("no methods to compare; pass a dict of name -> fitted estimator")
    if len(signals) != len(measurements):
        raise InputError(
            f"{len(signals)} signals but {len(measurements)} measurements; give one of each per sample"
        )
    rival = next(iter(methods)) if rival is None else rival
    if rival not in methods:
        raise InputError(f"the rival {rival!r} is not among the methods {list(methods)}")
    estimates: dict[str, np.ndarray] = {}
    errors: dict[str, np.ndarray] = {}
    seconds: dict[str, float] = {}
    rows = []
    for done, (label, method) in enumerate(methods.items()):
        if progress:
            progress(done, len(methods))
        predict = getattr(method, "predict", method)
        estimate, times = _run(predict, measurements, repeats)
        seconds[label] = float(np.median(times))
        if estimate.size != signals.size or len(estimate) != len(signals):
            raise InputError(f"{label} gave {estimate.shape} for signals of shape {signals.shape}")
        estimates[label] = estimate.reshape(signals.shape)
        errors[label] = relative_error(estimates[label], signals)
        mean, spread = mean_with_spread(errors[label])
        row = {**(labels or {}), "method": label, "error": mean, "±": spread}
        if signals.ndim > 2:
            row["PSNR [dB]"] = float(psnr(estimates[label], signals, data_range).mean())
            if min(signals.shape[1:]) >= 3:
                row["SSIM"] = float(ssim(estimates[label], signals, data_range).mean())
        row["ms / sample"] = 1e3 * seconds[label]
        if len(times) > 1:
            row["ms, ±"] = 1e3 * float(np.ptp(times)) / 2
        rows.append(row)
        log.info("%s: relative error %.4f, %.3g ms per sample", label, mean, 1e3 * seconds[label])
    for row in rows:
        row[f"time / {rival}"] = seconds[row["method"]] / seconds[rival]
    if progress:
        progress(len(methods), len(methods))
    best = {"error": "min", "PSNR [dB]": "max", "SSIM": "max", "ms / sample": "min"}
    best = {column: rule for column, rule in best.items() if column in rows[0]}
    text = caption or f"Mean over {len(signals)} held-out samples; ± is the standard error of the mean error."
    return Comparison(Table(name, text, rows, best=best), estimates, errors, seconds)


def compare_codecs(
    arrays: Mapping[str, np.ndarray] | Sequence[np.ndarray] | np.ndarray,
    bound: str | float | None,
    *,
    ours: Mapping[str, tuple[Callable[[np.ndarray], bytes], Callable[[bytes], np.ndarray]]] | None = None,
    sigmas: Mapping[str, np.ndarray] | Sequence[np.ndarray | None] | None = None,
    masks: Mapping[str, np.ndarray] | Sequence[np.ndarray | None] | None = None,
    rivals: Sequence[Codec] | None = None,
    repeats: int = 1,
    name: str = "codecs",
    caption: str = "",
    labels: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Table:
    """Code every array alone under one bound, with every codec; real bytes, verified errors, speed.

    Parameters
    ----------
    arrays : dict or sequence of ndarray, or one array
        Each is coded on its own; pass one stacked array to let codecs use what samples share.
    bound : str, float or None
        ``abs:X``, ``rel:X``, ``log:X``, ``Ksigma`` or lossless; verified on every decoded value.
    ours : dict of str to (encode, decode), optional
        Codecs in place of invae's own: ``encode(array) -> bytes``, ``decode(bytes) -> array``.
    sigmas, masks : like ``arrays``, optional
        Standard deviations, and True where a value must stay exact.
    rivals : sequence of Codec, optional
        Default: all of `codecs`.
    repeats : int
        Runs per array; the median times count.

    Returns
    -------
    Table
        Columns: codec, coded (arrays done), bytes, ratio (to the arrays' own bytes), bits / value,
        max error / bound, encode and decode MB/s. A codec that cannot do every array has only the first two.
    """
    items = _named(arrays)
    sigma_of, mask_of = _named(sigmas, items), _named(masks, items)
    domains = {key: domain_for(x, bound, sigma_of.get(key), mask_of.get(key)) for key, x in items.items()}
    rivals = list(codecs().values()) if rivals is None else list(rivals)
    total_bytes = sum(x.nbytes for x in items.values())
    n_values = sum(x.size for x in items.values())
    runs: list[tuple[str, Callable[[str], tuple[int, Measurement] | None]]] = []
    if ours is None:
        runs.append(
            (
                "invae",
                lambda key: _run_invae(bound, sigma_of.get(key), mask_of.get(key), domains[key], repeats),
            )
        )
    for label, (encode, decode) in (ours or {}).items():
        runs.append((label, partial(_run_pair, encode, decode, domains, repeats)))
    for codec in rivals:
        runs.append((codec.name, partial(_run_rival, codec, domains, repeats)))
    rows = []
    smallest = min(items, key=lambda key: items[key].size)
    for done, (label, run) in enumerate(runs):
        if progress:
            progress(done, len(runs))
        if items[smallest].size <= WARM_UP_VALUES:
            run(smallest)  # not counted: compilation and first touches
        results = [result for key in items if (result := run(key)) is not None]
        row: dict[str, Any] = {**(labels or {}), "codec": label, "coded": f"{len(results)}/{len(items)}"}
        if len(results) == len(items):
            stored = sum(size for size, _ in results)
            row["bytes"] = stored
            row["ratio"] = ratio(total_bytes, stored)
            row["bits / value"] = bits_per_value(stored, n_values)
            row["max error / bound"] = max(result.max_error for _, result in results)
            row["encode MB/s"] = (
                total_bytes / 1e6 / max(1e-9, sum(result.encode_seconds for _, result in results))
            )
            row["decode MB/s"] = (
                total_bytes / 1e6 / max(1e-9, sum(result.decode_seconds for _, result in results))
            )
        if results:
            rows.append(row)
    if progress:
        progress(len(runs), len(runs))
    text = caption or (
        f"{len(items)} arrays, {total_bytes:,} bytes, bound {bound or 'lossless'}: real bytes, "
        "errors in units of the bound, verified on every decoded value."
    )
    return Table(name, text, rows, best={"bytes": "min", "ratio": "max", "bits / value": "min"})


def _run(predict: Callable, measurements: np.ndarray, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    predict(measurements[:1])  # not counted: compilation, first touches, factors that are made on demand
    estimate, seconds = timed(lambda: predict(measurements), repeats)
    return np.asarray(estimate), np.array(seconds) / len(measurements)


def _run_pair(
    encode: Callable, decode: Callable, domains: Mapping[str, Domain], repeats: int, key: str
) -> tuple[int, Measurement]:
    return _run_ours(encode, decode, domains[key], repeats)


def _run_rival(
    codec: Codec, domains: Mapping[str, Domain], repeats: int, key: str
) -> tuple[int, Measurement] | None:
    domain = domains[key]
    if not codec.supports(np.ascontiguousarray(domain.values), domain.tolerance):
        return None
    try:
        result = domain.measure(codec, repeats)
    except BoundError as error:
        log.info("%s", error)
        return None
    return result.n_bytes + domain.side_bytes, result


def _run_ours(encode: Callable, decode: Callable, domain: Domain, repeats: int) -> tuple[int, Measurement]:
    blob, encoding = timed(lambda: encode(domain.original), repeats)
    back, decoding = timed(lambda: decode(blob), repeats)
    seconds = float(np.median(encoding)), float(np.median(decoding))
    return len(blob), Measurement(blob, back, *seconds, domain.error(back), 1)


def _run_invae(
    bound: str | float | None, sigma: np.ndarray | None, mask: np.ndarray | None, domain: Domain, repeats: int
) -> tuple[int, Measurement]:
    from invae.codec import compress, decompress

    def encode(array: np.ndarray) -> bytes:
        return compress(array, bound=bound_text(bound), sigma=sigma, mask=mask)

    return _run_ours(encode, decompress, domain, repeats)


def _named(arrays: Any, like: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
    if arrays is None:
        return {}
    if isinstance(arrays, np.ndarray):
        arrays = [arrays]
    names = list(like) if like else None
    if not isinstance(arrays, Mapping):
        arrays = {names[i] if names and i < len(names) else str(i): x for i, x in enumerate(arrays)}
    if like is None and not arrays:
        raise InputError("no arrays to code; pass at least one")
    if like is not None and set(arrays) != set(like):
        raise InputError(
            f"sigmas and masks must match the arrays: got {sorted(arrays)}, expected {sorted(like)}"
        )
    return dict(arrays)
