import numpy as np
import pytest

from invae.errors import InputError
from invae.evaluation.compare import compare, compare_codecs
from invae.evaluation.rate_curves import compare_rates
from invae.evaluation.rivals import codecs


class Shrink:
    def __init__(self, factor):
        self.factor = factor

    def predict(self, measurements):
        return self.factor * measurements


def test_compare_measures_error_similarity_and_time_ratio(rng):
    x = rng.random((6, 9, 9))
    calls = []
    methods = {"good": Shrink(0.99), "bad": Shrink(0.5)}
    found = compare(
        methods, x, x, rival="bad", labels={"family": "noise"}, progress=lambda *a: calls.append(a)
    )
    good, bad = found.rows
    assert list(good)[:2] == ["family", "method"]
    assert good["error"] == pytest.approx(0.01) and bad["error"] == pytest.approx(0.5)
    assert good["SSIM"] > bad["SSIM"] and good["PSNR [dB]"] > bad["PSNR [dB]"]
    assert bad["time / bad"] == 1
    assert good["time / bad"] == pytest.approx(found.seconds["good"] / found.seconds["bad"])
    assert found.table.best_rows("error") == {0}
    np.testing.assert_allclose(found.estimates["bad"], x / 2)
    assert calls[0] == (0, 2) and calls[-1] == (2, 2)


def test_compare_takes_flat_signals_and_other_measurement_shapes(rng):
    x = rng.random((4, 12))
    found = compare({"fold": lambda y: y.reshape(len(y), 3, 4)}, x, x.reshape(4, 2, 6))
    assert found.rows[0]["error"] == 0 and "SSIM" not in found.rows[0]
    assert found.estimates["fold"].shape == x.shape


def test_compare_refuses_what_does_not_fit(rng):
    x = rng.random((4, 5))
    with pytest.raises(InputError, match="no methods"):
        compare({}, x, x)
    with pytest.raises(InputError, match="4 signals but 3"):
        compare({"a": Shrink(1)}, x, x[:3])
    with pytest.raises(InputError, match="rival"):
        compare({"a": Shrink(1)}, x, x, rival="b")
    with pytest.raises(InputError, match="a gave"):
        compare({"a": lambda y: y[:, :2]}, x, x)


def exact_codec():
    return {"raw": (lambda x: x.tobytes(), lambda b: np.frombuffer(b).reshape(8, 16))}


def test_compare_codecs_counts_real_bytes_and_verifies(rng):
    x = np.cumsum(rng.normal(size=(8, 16)), axis=1)
    table = compare_codecs({"walk": x}, "abs:1e-2", ours=exact_codec())
    rows = {row["codec"]: row for row in table.rows}
    assert rows["raw"]["bytes"] == x.nbytes and rows["raw"]["bits / value"] == 64
    grid = rows["grid + best lossless"]
    assert grid["ratio"] > 2 and 0 < grid["max error / bound"] <= 1
    assert grid["ratio"] == pytest.approx(x.nbytes / grid["bytes"])
    assert "zstd-19" not in rows


def test_compare_codecs_says_when_a_codec_cannot_do_all(rng):
    x = rng.normal(size=(8, 16))
    if "SPERR" not in codecs():
        pytest.skip("imagecodecs is absent")
    table = compare_codecs([x, x[0]], 0.1, ours={})
    rows = {row["codec"]: row for row in table.rows}
    assert rows["SPERR"]["coded"] == "1/2" and "bytes" not in rows["SPERR"]
    assert rows["SZ3"]["coded"] == "2/2"


def test_a_broken_codec_of_ours_shows_in_the_table(rng):
    x = rng.normal(size=(8, 16))
    table = compare_codecs([x], 0.1, ours={"zero": (lambda a: b"0", lambda b: np.zeros((8, 16)))}, rivals=[])
    assert table.rows[0]["max error / bound"] > 1


def test_sigmas_and_masks_must_match(rng):
    x = rng.normal(size=(8, 16))
    with pytest.raises(InputError, match="match"):
        compare_codecs({"a": x}, "0.5sigma", ours={}, sigmas={"b": x})
    with pytest.raises(InputError, match="at least one"):
        compare_codecs([], 0.1, ours={})
    table = compare_codecs({"a": x}, "0.5sigma", ours={}, sigmas=[np.ones_like(x)], masks=[x > 0])
    assert table.rows


@pytest.mark.parametrize("bound", ["abs:1e-2", "log:0.01", 0.5, None])
def test_invae_itself_takes_part_and_keeps_its_bound(rng, bound):
    x = np.exp(np.cumsum(0.1 * rng.normal(size=(8, 64)), axis=1))
    x[0, 0] = np.nan
    row = compare_codecs([x], bound, rivals=[]).rows[0]
    assert row["codec"] == "invae" and row["max error / bound"] <= 1


def test_invae_uses_the_given_sigmas_and_masks(rng):
    x = rng.normal(size=200)
    sigma = np.abs(rng.normal(size=200)) + 0.01
    row = compare_codecs([x], "0.5sigma", sigmas=[sigma], masks=[x > 1], rivals=[]).rows[0]
    assert row["codec"] == "invae" and 0 < row["max error / bound"] <= 1


def test_rates_over_bounds_make_a_table_and_a_curve(rng):
    x = np.exp(np.cumsum(0.1 * rng.normal(size=(6, 80)), axis=1))
    table, figure = compare_rates(x, ["log:0.1", "log:0.001"])
    grid = [row for row in table.rows if row["codec"] == "grid + best lossless"]
    assert [row["bound"] for row in grid] == ["log:0.1", "log:0.001"]
    assert grid[0]["bits / value"] < grid[1]["bits / value"]
    line = next(s for s in figure.data["series"] if s["label"] == "grid + best lossless")
    assert line["x"] == [row["bits / value"] for row in grid] and line["y"] == [0.1, 0.001]
    from invae.report.figures import render

    render(figure.kind, figure.data)
    for bounds in (["log:0.1", "abs:1"], ["lossless"], []):
        with pytest.raises(InputError, match="one kind"):
            compare_rates(x, bounds)
