"""Dithered sigma grids: the bound holds, errors are uniform noise, and the rate is near that of the noise."""

from __future__ import annotations

import numpy as np
import pytest

from invae.codec import Archive, Bound, compress, decompress
from invae.codec.fields.field import decode_field, encode_field, field_info
from invae.codec.sigma.dithered import DitheredSteps
from invae.data.records import Curve
from invae.errors import FormatError
from invae.evaluation.residuals import run_test

STEPS = 7
FLOOR = {0.25: 3.064, 0.5: 2.106, 1.0: 1.257}  # bits of unit normal noise on a dithered grid of step 2 K


def noisy_curve(rng, n=300, relative=0.02):
    q = np.geomspace(5e-3, 0.4, n)
    clean = 1e3 / (1 + (40 * q) ** 2) ** 2 + 0.1
    sigma = relative * np.sqrt(clean * clean[0])
    return clean + sigma * rng.standard_normal(n), sigma


def bits(values, sigma, k):
    data, ratio = encode_field(values, Bound("sigma", k), sigma)
    assert ratio <= 1 and field_info(data)[2] == STEPS
    assert Bound("sigma", k).check(values, decode_field(data, sigma), sigma).all()
    return 8 * len(data) / values.size


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "f2", "i4", "u8"])
@pytest.mark.parametrize("k", [1e-9, 0.5, 1e6])
def test_the_bound_holds_under_any_sigma(rng, dtype, k):
    values = (10 ** rng.uniform(-2, 4, (3, 400))).astype(dtype)
    sigma = 10 ** rng.uniform(-6, 6, values.shape)
    odd = [0.0, np.nan, np.inf, -1.0, 5e-324, 1e308, 1e-300]
    sigma[rng.random(values.shape) < 0.05] = rng.choice(odd)
    sigma[1, : len(odd)] = odd
    if values.dtype.kind == "f":
        values[0, 3:8] = [np.nan, np.inf, -np.inf, -0.0, np.finfo(values.dtype).max]
    back = decompress(compress(values, Bound("sigma", k), sigma=sigma))
    assert back.dtype == values.dtype
    assert Bound("sigma", k).check(values, back, sigma).all()


def test_errors_are_uniform_and_know_nothing_of_data_or_each_other(rng):
    clean = np.exp(-np.linspace(0, 5, 20_000)) * 1e3
    sigma = 0.003 * clean
    values = clean + 0.1 * sigma * rng.standard_normal(clean.size)  # hardly any noise of its own
    k = 0.5
    back = decompress(compress(values, Bound("sigma", k), sigma=sigma))
    error = (back - values) / (k * sigma)
    n = error.size
    assert abs(error.mean()) * np.sqrt(3 * n) < 4
    assert abs((error**2).mean() - 1 / 3) * np.sqrt(n) < 4 * np.sqrt(4 / 45)
    counts = np.histogram(error, 20, (-1, 1))[0]
    assert ((counts - n / 20) ** 2 / (n / 20)).sum() < 19 + 4 * np.sqrt(38)
    assert abs(run_test(error[None]).z) < 4
    for other in (values, values / sigma, np.roll(error, 1), np.roll(error, 2)):
        assert abs(np.corrcoef(error, other)[0, 1]) * np.sqrt(n) < 4


def test_like_curves_have_unlike_errors(rng):
    values, sigma = noisy_curve(rng)
    errors = [decompress(compress(x, "1sigma", sigma=sigma)) - x for x in (values, values + 1e-3 * sigma)]
    assert abs(np.corrcoef(errors / sigma)[0, 1]) < 0.3


@pytest.mark.parametrize("k", list(FLOOR))
def test_noise_costs_little_more_than_its_floor(rng, k):
    values, sigma = noisy_curve(rng, 3000)
    assert FLOOR[k] - 0.05 < bits(values, sigma, k) < FLOOR[k] + 0.12
    rows = np.stack([noisy_curve(rng, 100)[0] for _ in range(30)])
    assert bits(rows, np.broadcast_to(noisy_curve(rng, 100)[1], rows.shape), k) < FLOOR[k] + 0.2


def test_what_sigma_says_of_the_value_is_used(rng):
    counts = rng.poisson(np.geomspace(1e5, 30, 500)).astype(float)
    assert bits(counts * 1e-3, np.sqrt(counts) * 1e-3, 0.5) < 1
    smooth = np.geomspace(1e5, 30, 500)
    assert bits(smooth, 0.01 * smooth, 0.5) < 0.6
    assert bits(rng.permutation(smooth), 0.01 * smooth, 0.5) > 4


def test_steep_and_oscillating_curves_follow(rng):
    q = np.linspace(0.01, 0.5, 400)
    x = 40 * q
    clean = 1e6 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2 + 1
    sigma = np.sqrt(clean)
    values = clean + sigma * rng.standard_normal(q.size)
    assert bits(values, sigma, 0.5) < FLOOR[0.5] + 0.6


def test_exact_points_cost_nothing_beside_their_values(rng):
    values, sigma = noisy_curve(rng, 1000)
    full = bits(values, sigma, 0.5)
    values[200:600] = np.nan
    assert bits(values, sigma, 0.5) < 0.7 * full
    back = decompress(compress(values, "0.5sigma", sigma=sigma))
    assert np.isnan(back[200:600]).all() and np.isfinite(back[600:]).all()


def test_integers_keep_the_bound_without_being_rounded_out_of_it(rng):
    values = rng.poisson(200, (2, 500)).astype(np.int32)
    sigma = np.full(values.shape, 3.0)
    assert bits(values, sigma, 0.5) < 5  # step 3
    assert bits(values, sigma, 0.25) > bits(values, sigma, 0.5)
    assert np.array_equal(decompress(compress(values, "0.25sigma", sigma=sigma)), values)  # K sigma < 1
    steps = DitheredSteps(0.5, sigma, values.dtype, 3)
    n, outside = steps.numbers(values)
    assert not outside.any() and np.abs(steps.values(n) - values).max() == 1


def test_bytes_do_not_depend_on_threads_or_model(rng):
    values, sigma = noisy_curve(rng, 200)
    pair = [values, values[::-1].copy()]
    blobs = {compress(pair, "0.5sigma", sigma=[sigma, sigma], jobs=jobs) for jobs in (1, 2)}
    assert len(blobs) == 1


def test_damaged_streams_end(rng):
    values, sigma = noisy_curve(rng, 60)
    values, sigma = np.stack([values, values[::-1]]), np.stack([sigma, sigma])
    values[1, 5] = np.nan
    data, _ = encode_field(values, Bound("sigma", 0.5), sigma)
    for k in range(len(data)):
        damaged = bytearray(data)
        damaged[k] ^= 0x55
        try:
            decode_field(bytes(damaged), sigma)
        except FormatError:
            continue
    with pytest.raises(FormatError, match="deviations"):
        decode_field(data)


def test_archives_in_steps_of_sigma_name_no_model_for_curves(rng):
    values, sigma = noisy_curve(rng)
    assert Archive(compress(values, "0.5sigma", sigma=sigma)).info["models"] == []
    assert Archive(compress(values, "0.5sigma", sigma=sigma, sigma_bound="rel:0.1")).info["models"] != []
    record = Curve(q=np.arange(300.0), intensity=values, sigma=sigma)
    blob = compress([record, record], "0.5sigma")
    assert Archive(blob).info["models"] == []
    assert Bound.parse("0.5sigma").check(values, decompress(blob)[1].intensity, sigma).all()
