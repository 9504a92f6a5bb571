import json

import numpy as np
import pytest

from invae.errors import FileError, FormatError, InputError
from invae.evaluation.results import Figure, Results, Table, environment, load_results, save_results


def example() -> Results:
    table = Table(
        "errors",
        "Errors",
        [{"method": "a", "error": 0.2}, {"method": "b", "error": 0.1}],
        best={"error": "min"},
    )
    image = np.array([[np.nan, -np.inf, -0.0]], dtype=">f4")
    figure = Figure(
        "lines", "A line", {"x": np.arange(3), "y": [1.0, float("nan"), float("inf")], "image": image}
    )
    return Results(
        "demo", "Demo", "It works.", {"n": np.int64(3), "rate": np.float32(0.5)}, [table], [figure], 1.5
    )


def test_json_round_trip_keeps_arrays_bit_for_bit():
    before = example()
    after = Results.from_json(before.to_json())
    assert after.tables == before.tables
    assert after.environment == before.environment
    assert after.seconds == 1.5 and after.config == {"n": 3, "rate": 0.5}
    data = after.figures[0].data
    assert data["x"].dtype == np.int64
    np.testing.assert_array_equal(data["x"], np.arange(3))
    assert np.isnan(data["y"][1]) and data["y"][2] == np.inf
    assert data["image"].astype(">f4").tobytes() == before.figures[0].data["image"].tobytes()


def test_json_is_strict():
    json.loads(example().to_json(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_files_round_trip_and_are_not_overwritten(tmp_path):
    path = tmp_path / "results.json"
    save_results([example(), example()], path)
    assert [item.name for item in load_results(path)] == ["demo", "demo"]
    with pytest.raises(FileError, match="exists"):
        save_results([example()], path)
    save_results([example()], path, overwrite=True)
    assert len(load_results(path)) == 1


@pytest.mark.parametrize(
    "text", ["{", "[]x", '{"format": "other"}', '{"format": "invae-results", "version": 99}']
)
def test_foreign_or_newer_json_is_refused(text):
    with pytest.raises(FormatError):
        Results.from_json(text)


def test_damaged_array_is_refused():
    body = example().to_dict()
    body["figures"][0]["data"]["x"]["shape"] = [7]
    with pytest.raises(FormatError, match="damaged"):
        Results.from_dict(body)


def test_missing_file_is_one_error(tmp_path):
    with pytest.raises(FileError, match="cannot read"):
        load_results(tmp_path / "absent.json")


def test_best_is_taken_within_groups_and_ties_are_all_marked():
    rows = [
        {"set": s, "e": e}
        for s, e in [("x", 1.0), ("x", 2.0), ("y", 5.0), ("y", 5.0), ("z", 0.0), ("x", float("nan"))]
    ]
    table = Table("t", "", rows, best={"e": "min"}, group="set")
    assert table.best_rows("e") == {0, 2, 3}
    assert table.best_rows("set") == set()
    with pytest.raises(InputError, match="min"):
        Table("t", "", rows, best={"e": "least"})


def test_columns_keep_order_of_first_appearance():
    assert Table("t", "", [{"b": 1}, {"a": 2, "b": 3}]).columns == ["b", "a"]


def test_unstorable_values_are_refused():
    with pytest.raises(InputError, match="object"):
        Results("a", "a", "", {"x": object()}).to_json()


def test_environment_names_versions_and_processor():
    here = environment()
    assert here["versions"]["numpy"] == np.__version__
    assert here["cpu"] and here["cores"] >= 1
