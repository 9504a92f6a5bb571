"""The table over a folder has a row for each file, read or refused."""

from __future__ import annotations

import json

import pytest

from invae.data.inventory import inventory
from invae.errors import FileError


def test_every_file_has_a_row(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.dat").write_text("# run 7\n0 -1 1\n0.2 nan 1\n0.1 4 1\n")
    (tmp_path / "sub" / "b.dat").write_text("no numbers")
    rows = inventory(tmp_path)
    json.dumps(rows)
    assert [row["file"] for row in rows] == ["a.dat", "sub/b.dat"]
    good, bad = rows
    assert (good["records"], good["values"], good["nan"], good["negative"]) == (1, 3, 1, 1)
    assert (good["q_zero"], good["q_unsorted"], good["kept"]) == (1, 1, ["sigma"])
    assert good["header_characters"] == len("# run 7\n")
    assert "q_unit" in good["warning"] and good["error"] is None
    assert bad["records"] == 0 and "no table of numbers" in bad["error"]


def test_stated_unit_silences_the_warning(tmp_path):
    (tmp_path / "a.dat").write_text("0.1 2\n0.2 3\n")
    (row,) = inventory(tmp_path, q_unit="1/nm")
    assert (row["warning"], row["q_unit"]) == (None, "1/nm")


def test_folder_must_exist(tmp_path):
    with pytest.raises(FileError, match="not a folder"):
        inventory(tmp_path / "absent")


def test_shared_files_give_errors_where_nothing_can_be_read_only(shared_data):
    rows = inventory(shared_data / "sas1d" / "awkward")
    refused = {row["file"] for row in rows if row["error"]}
    assert refused == {"book.xml", *(f"crash0{i}.txt" for i in range(1, 7))}
