from importlib.resources import files

import numpy as np
import pytest

import invae
from invae.data import identical, read_array

CURVES = files("sasdata") / "example_data" / "1d_data"


@pytest.mark.parametrize("ending", [".h5", ".xml", ".dat"])
def test_a_curve_survives_every_format(tmp_path, run, ending):
    source = CURVES / "ISIS_Polymer_Blend_TK49.xml"
    out = tmp_path / f"x{ending}"
    status, stdout, stderr = run("convert", source, "-o", out)
    assert (status, stdout) == (0, ""), stderr
    (a,), (b,) = invae.read(source), invae.read(out)
    assert identical(a, b.replace(source=a.source)) or identical(a, b)


def test_several_records_go_to_one_file_or_a_folder(tmp_path, run):
    sources = [CURVES / "ISIS_Polymer_Blend_TK49.xml", CURVES / "ISIS_98929.TXT"]
    status, _, stderr = run("convert", *sources, "-o", tmp_path / "all.h5")
    assert status == 0 and "2 records written" in stderr
    assert len(invae.read(tmp_path / "all.h5")) == 2
    status, _, stderr = run("convert", tmp_path / "all.h5", "-o", tmp_path / "each", "--to", ".xml")
    assert status == 0 and "2 files" in stderr
    assert len(list((tmp_path / "each").glob("*.xml"))) == 2
    status, _, stderr = run("convert", *sources, "-o", tmp_path / "all.dat")
    assert status == 1 and "one curve" in stderr and not (tmp_path / "all.dat").exists()


def test_arrays_change_container(tmp_path, run, rng):
    x = rng.integers(0, 100, (3, 8, 9)).astype(np.uint16)
    np.save(tmp_path / "x.npy", x)
    assert run("convert", tmp_path / "x.npy", "-o", tmp_path / "x.tif")[0] == 0
    np.testing.assert_array_equal(read_array(tmp_path / "x.tif"), x)
    np.save(tmp_path / "y.npy", x)
    status, _, stderr = run("convert", tmp_path / "x.npy", tmp_path / "y.npy", "-o", tmp_path / "z.npy")
    assert status == 1 and "folder" in stderr
    assert (
        run("convert", tmp_path / "x.npy", tmp_path / "y.npy", "-o", tmp_path / "out", "--to", ".h5")[0] == 0
    )
    np.testing.assert_array_equal(read_array(tmp_path / "out" / "y.h5"), x)


def test_nothing_is_overwritten_and_wrong_endings_are_named(tmp_path, run):
    source = CURVES / "ISIS_Polymer_Blend_TK49.xml"
    (tmp_path / "x.h5").write_text("precious")
    status, _, stderr = run("convert", source, "-o", tmp_path / "x.h5")
    assert status == 1 and "--force" in stderr and (tmp_path / "x.h5").read_text() == "precious"
    status, _, stderr = run("convert", source, "-o", tmp_path / "x.docx")
    assert status == 1 and ".h5" in stderr
    assert run("convert", source, "-o", tmp_path / "y.h5", "--to", ".xml")[0] == 2


def test_a_path_inside_an_hdf5_file_is_a_file_to_write(tmp_path, run, rng):
    np.save(tmp_path / "x.npy", rng.normal(size=(4, 5)))
    assert run("convert", tmp_path / "x.npy", "-o", f"{tmp_path}/y.h5:/scan/ct")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "y.h5"]
    np.testing.assert_array_equal(read_array(f"{tmp_path}/y.h5:/scan/ct"), np.load(tmp_path / "x.npy"))
