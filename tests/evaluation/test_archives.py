import numpy as np
import pytest

from invae.codec import compress, decompress
from invae.data.records import Curve, Frame
from invae.errors import InputError
from invae.evaluation.archives import evaluate_archive
from invae.evaluation.frames import beam_centre


def curve(rng, name="globule", n=200):
    q = np.linspace(0.005, 0.3, n)
    clean = 50 * np.exp(-((q * 20) ** 2) / 3) + 0.02
    sigma = 0.02 * clean + 0.002
    intensity = clean + sigma * rng.normal(size=n)
    intensity[5] = np.nan
    units = {"q": "1/angstrom", "intensity": "1/cm"}
    return Curve(q, intensity, sigma, units=units, name=name, metadata={"run": 7}, header="# raw")


def frame(rng):
    a, b = np.mgrid[:40, :50]
    counts = rng.poisson(400 / (1 + np.hypot(a - 12, b - 20))).astype(np.int32)
    counts[20:22] = -1
    return Frame(counts, name="shot", metadata={"geometry": {"centre": [12, 20]}})


def test_curves_and_frames_in_one_report(rng):
    originals = [curve(rng), frame(rng)]
    decoded = decompress(compress(originals, "0.5sigma"))
    results = evaluate_archive(originals, decoded, "0.5sigma", source_bytes=9000, stored_bytes=3000)
    assert results.config["kept"] is True
    rows = results.table("records").rows
    assert all(0 < row["max error / bound"] <= 1 and row["rest exact"] for row in rows)
    assert rows[0]["max |error| / sigma"] <= 0.5 and 1 <= rows[0]["noise inflation"] < 1.1
    assert rows[1]["max |ring z|"] < 5
    physics = {row["quantity"]: row for row in results.table("physics").rows}
    assert (
        physics["Rg"]["original"] == pytest.approx(20, rel=0.02) and abs(physics["Rg"]["shift / sigma"]) < 1.5
    )
    totals = {row["quantity"]: row["value"] for row in results.table("totals").rows}
    assert totals["ratio"] == 3
    assert [figure.kind for figure in results.figures] == [
        "scattering_curves",
        "guinier_kratky_porod",
        "frames",
    ]
    from invae.report import Report

    assert Report(results).html().count("data:image") == 3


def test_a_biased_copy_moves_the_rings(rng):
    original = frame(rng)
    biased = original.replace(
        data=np.where(original.data >= 0, original.data + 1, original.data).astype(np.int32)
    )
    row = evaluate_archive([original], [biased], "1sigma").table("records").rows[0]
    assert row["max error / bound"] <= 1 and row["max |ring z|"] > 1.5


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"run": 8}},
        {"header": "# other"},
        {"q": np.linspace(0.005, 0.31, 200)},
        {"name": "other"},
        {"units": {"q": "1/nm", "intensity": "1/cm"}},
        {"sigma": np.ones(200)},
        {"sigma": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_anything_else_that_changed_is_seen(rng, change):
    original = curve(rng)
    results = evaluate_archive([original], [original.replace(**change)], "abs:1")
    assert results.config["kept"] is False
    assert results.table("records").rows[0]["rest exact"] is False


def test_a_lossy_sigma_is_allowed_when_it_was_promised(rng):
    original = curve(rng)
    (decoded,) = decompress(compress([original], "abs:0.1", sigma_bound="rel:0.05"))
    assert not np.array_equal(decoded.sigma, original.sigma)
    assert evaluate_archive([original], [decoded], "abs:0.1", sigma_bound="rel:0.05").config["kept"] is True
    assert evaluate_archive([original], [decoded], "abs:0.1").config["kept"] is False
    assert evaluate_archive([original], [decoded], "abs:0.1", sigma_bound="rel:1e-6").config["kept"] is False


@pytest.mark.parametrize("bound", ["abs:0.01", "rel:0.01", "log:0.01", "lossless"])
def test_every_bound_is_drawn(rng, bound):
    originals = [curve(rng), curve(rng).replace(sigma=None, name="bare"), frame(rng)]
    results = evaluate_archive(originals, decompress(compress(originals, bound)), bound)
    assert results.config["kept"] is True
    from invae.report import Report

    Report(results).html()


def test_arrays_of_any_kind(rng):
    items = [rng.normal(size=7), rng.poisson(3, (4, 5, 6)).astype(np.uint16), np.array(3.5), np.zeros((0, 3))]
    results = evaluate_archive(items, decompress(compress(items, "abs:0.5")), "abs:0.5")
    assert results.config["kept"] is True and len(results.table("records").rows) == 4


def test_records_that_do_not_belong_together_are_refused(rng):
    a = curve(rng)
    with pytest.raises(InputError, match="2 original"):
        evaluate_archive([a, a], [a], "abs:1")
    with pytest.raises(InputError, match="200"):
        evaluate_archive([a], [curve(rng, n=100)], "abs:1")
    with pytest.raises(InputError, match="no record"):
        evaluate_archive([], [], "abs:1")


def test_beam_centre_from_metadata_q_or_the_middle():
    image = np.zeros((5, 7))
    assert beam_centre(image) == (2, 3)
    assert beam_centre(Frame(image, metadata={"geometry": {"centre": [1, 2]}})) == (1, 2)
    qx, qy = np.meshgrid(np.arange(7) - 5.0, np.arange(5) - 1.0)
    assert beam_centre(Frame(image, qx=qx, qy=qy)) == (1, 5)


def test_rivals_code_the_same_values_under_the_same_bound(rng):
    originals = [curve(rng), frame(rng)]
    decoded = decompress(compress(originals, "0.5sigma"))
    table = evaluate_archive(originals, decoded, "0.5sigma", rivals=True).table("rivals")
    rows = {row["codec"]: row for row in table.rows}
    assert rows["invae"]["coded"] == rows["grid + best lossless"]["coded"] == "2/2"
    assert all(row["max error / bound"] <= 1 for row in table.rows if "bytes" in row)
