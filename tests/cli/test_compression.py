import json
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

import invae
from invae.data import identical


@pytest.fixture(scope="module")
def curve_file():
    return files("sasdata") / "example_data" / "1d_data" / "ISIS_Polymer_Blend_TK49.xml"


def archive_of(run, path, *sources, bound="0.5sigma"):
    status, _, stderr = run("compress", *sources, "-o", path, "--bound", bound)
    assert status == 0, stderr
    return stderr


def test_a_real_curve_travels_through_all_verbs(curve_file, tmp_path, run):
    path = tmp_path / "run.inva"
    talk = archive_of(run, path, curve_file)
    assert "1 record" in talk and "bound 0.5sigma" in talk
    (original,) = invae.read(curve_file)

    status, stdout, _ = run("list", path)
    assert status == 0 and stdout.splitlines() == [original.name]

    status, stdout, _ = run("get", original.name, path)
    table = np.array([line.split("\t") for line in stdout.splitlines() if not line.startswith("#")], float)
    np.testing.assert_array_equal(table[:, 0], original.q)
    assert np.all(np.abs(table[:, 1] - original.intensity) <= 0.5 * original.sigma)
    np.testing.assert_array_equal(table[:, 2], original.sigma)

    status, stdout, _ = run("get", 0, path, "--json")
    assert json.loads(stdout)["name"] == original.name

    status, stdout, _ = run("verify", path)
    assert status == 0 and "1 record sound" in stdout

    status, _, stderr = run("decompress", path, "-o", tmp_path / "back")
    assert status == 0 and "1 file written" in stderr
    (written,) = (tmp_path / "back").iterdir()
    assert written.suffix == ".dat"
    with invae.Archive(path) as archive:
        decoded = archive[0]
    assert identical(invae.read(written)[0], decoded)
    status, _, stderr = run("decompress", path, "-o", tmp_path / "all.h5")
    assert status == 0 and identical(invae.read(tmp_path / "all.h5")[0], decoded), stderr
    np.testing.assert_array_equal(decoded.intensity, table[:, 1])

    status, stdout, stderr = run("evaluate", curve_file, path, "--html", tmp_path / "page.html", "--json")
    assert status == 0, stderr
    facts = json.loads(stdout)
    assert facts["kept"] is True
    assert 0 < facts["records"][0]["max error / bound"] <= 1
    assert facts["records"][0]["max |error| / sigma"] <= 0.5
    assert {row["quantity"] for row in facts["physics"]} >= {"Rg", "I(0)", "invariant"}
    assert "data:image" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint16])
def test_arrays_come_back_as_files(tmp_path, run, rng, dtype):
    x = rng.poisson(40, size=(20, 30)).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    archive_of(run, tmp_path / "x.inva", tmp_path / "x.npy", bound="abs:2")
    assert run("decompress", tmp_path / "x.inva", "-o", tmp_path / "y.npy")[0] == 0
    y = np.load(tmp_path / "y.npy")
    assert y.dtype == dtype and np.abs(y.astype(float) - x).max() <= 2
    status, stdout, _ = run("evaluate", tmp_path / "x.npy", tmp_path / "x.inva")
    assert status == 0 and "record\tvalues" in stdout
    status, stdout, _ = run("get", 0, tmp_path / "x.inva")
    assert len(stdout.splitlines()) == 20


def test_several_arrays_keep_their_names(tmp_path, run, rng):
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(4, 5)))
    archive_of(run, tmp_path / "ab.inva", tmp_path / "a.npy", tmp_path / "b.npy", bound="lossless")
    assert run("list", tmp_path / "ab.inva")[1].split() == ["a", "b"]
    status, _, stderr = run("get", "b", tmp_path / "ab.inva", "-o", tmp_path / "b2.npy")
    assert status == 0, stderr
    np.testing.assert_array_equal(np.load(tmp_path / "b2.npy"), np.load(tmp_path / "b.npy"))


def test_an_archive_that_breaks_its_bound_is_exit_status_1(tmp_path, run, rng):
    x = rng.normal(size=50)
    np.save(tmp_path / "x.npy", x)
    archive_of(run, tmp_path / "x.inva", tmp_path / "x.npy", bound="abs:0.01")
    np.save(tmp_path / "other.npy", x + 1)
    status, _, stderr = run("evaluate", tmp_path / "other.npy", tmp_path / "x.inva")
    assert status == 1 and "promise is not kept" in stderr


def test_a_damaged_archive_is_one_sentence(curve_file, tmp_path, run):
    path = tmp_path / "run.inva"
    archive_of(run, path, curve_file)
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    status, stdout, stderr = run("verify", path)
    assert status == 1 and stdout == "" and "damaged" in stderr and stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("compress", "absent.dat", "-o", "{tmp}/o.inva"), "absent.dat"),
        (("compress", "{curve}", "-o", "{tmp}/o.inva", "--bound", "tight"), "bound"),
        (("compress", "{curve}", "-o", "{tmp}/none/o.inva"), "does not exist"),
        (("list", "{curve}"), "archive"),
        (("verify", "absent.inva"), "absent.inva"),
    ],
)
def test_user_errors_are_one_sentence_and_leave_nothing(arguments, words, curve_file, tmp_path, run):
    status, stdout, stderr = run(*(a.format(tmp=tmp_path, curve=curve_file) for a in arguments))
    assert status == 1 and stdout == "" and words in stderr
    assert stderr.count("\n") == 1 and stderr.startswith("invae: ")
    assert list(tmp_path.iterdir()) == []


def test_get_names_what_there_is(curve_file, tmp_path, run):
    path = tmp_path / "run.inva"
    archive_of(run, path, curve_file)
    status, _, stderr = run("get", "nothing", path)
    assert status == 1 and "LOQ_Standard_TK49_SANS" in stderr


def test_info_speaks_of_every_kind_of_file(curve_file, tmp_path, run):
    np.save(tmp_path / "x.npy", np.zeros((3, 4), np.float32))
    archive_of(run, tmp_path / "run.inva", curve_file)
    status, stdout, _ = run("info", curve_file, tmp_path / "x.npy", tmp_path / "run.inva")
    assert status == 0
    assert (
        "curve of 102 points" in stdout
        and "float32 array 3 x 4" in stdout
        and "archive of 1 record" in stdout
    )
    status, stdout, _ = run("info", "--json", curve_file, "absent.dat")
    found = json.loads(stdout)
    assert status == 1 and found[0]["records"][0]["shape"] == [102] and found[1]["kind"] == "error"


def test_a_full_disk_is_one_sentence(curve_file, run, monkeypatch):
    import errno

    import typer

    def full(*_, err=False, **__):
        if not err:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(typer, "echo", full)
    assert run("info", curve_file)[0] == 1


def test_of_many_warnings_only_the_first_few_are_shown(tmp_path, run):
    for i in range(6):
        (tmp_path / f"c{i}.dat").write_text("0.1 5.0\n0.2 4.0\n0.3 2.0\n0.4 1.0\n")
    status, _, stderr = run("info", *sorted(tmp_path.iterdir()))
    assert status == 0 and stderr.count("--q-unit") == 3 and "3 more of this kind" in stderr


def test_the_installed_command_runs(curve_file, tmp_path):
    def call(*arguments):
        command = [sys.executable, "-m", "invae.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    made = call("compress", curve_file, "-o", tmp_path / "a.inva", "--bound", "rel:0.01")
    assert made.returncode == 0 and made.stdout == "" and "1 record" in made.stderr
    wrong = call("compress")
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr
    absent = call("verify", tmp_path / "b.inva")
    assert absent.returncode == 1 and absent.stderr.count("\n") == 1
    version = call("--version")
    assert version.stdout.strip() == f"invae {invae.__version__}"


@pytest.mark.parametrize("ending", [".npy", ".h5"])
def test_an_array_in_blocks_of_rows_comes_back_and_goes_on_after_an_interruption(
    tmp_path, run, rng, monkeypatch, ending
):
    from invae.codec import Archive, api

    monkeypatch.setattr(api, "BLOCK_VALUES", 200)
    rows = rng.normal(size=(50, 20)).cumsum(axis=1)
    np.save(tmp_path / "x.npy", rows)
    archive, out = tmp_path / "x.inva", tmp_path / f"y{ending}"
    archive_of(run, archive, tmp_path / "x.npy", bound="abs:0.01")

    def interrupted(self, key):
        if key == 3:
            raise KeyboardInterrupt
        return kept(self, key)

    kept = Archive.__getitem__
    monkeypatch.setattr(Archive, "__getitem__", interrupted)
    assert run("decompress", archive, "-o", out)[0] != 0 and not out.exists()
    decoded = []
    monkeypatch.setattr(Archive, "__getitem__", lambda self, key: (decoded.append(key), kept(self, key))[1])
    status, _, stderr = run("decompress", archive, "-o", out)
    assert status == 0, stderr
    assert decoded == [3, 4]
    assert np.abs(invae.data.read_array(out) - rows).max() <= 0.01


def test_one_record_goes_to_an_array_file(curve_file, tmp_path, run):
    archive_of(run, tmp_path / "a.inva", curve_file, bound="lossless")
    assert run("decompress", tmp_path / "a.inva", "-o", tmp_path / "y.npy")[0] == 0
    assert np.array_equal(np.load(tmp_path / "y.npy"), invae.read(curve_file)[0].intensity)


@pytest.fixture
def stack(tmp_path, run, rng, monkeypatch):
    """An array that is cut into blocks of rows, and its archive."""
    from invae.codec import api

    monkeypatch.setattr(api, "BLOCK_VALUES", 200)
    np.save(tmp_path / "x.npy", rng.normal(size=(50, 20)).cumsum(axis=1))
    archive_of(run, tmp_path / "x.inva", tmp_path / "x.npy", bound="abs:0.01")
    return tmp_path / "x.npy", tmp_path / "x.inva"


def test_an_array_in_blocks_of_rows_is_evaluated_as_one(stack, run):
    status, stdout, stderr = run("evaluate", *stack, "--json")
    assert status == 0, stderr
    assert json.loads(stdout)["records"][0]["values"] == 1000


def test_an_array_in_blocks_of_rows_is_one_file_of_a_folder(stack, tmp_path, run):
    assert run("decompress", stack[1], "-o", tmp_path / "out")[0] == 0
    (written,) = (tmp_path / "out").iterdir()
    assert np.abs(np.load(written) - np.load(stack[0])).max() <= 0.01


def test_several_items_do_not_turn_a_file_name_into_a_folder(tmp_path, run, rng):
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(4, 5)))
    archive_of(run, tmp_path / "ab.inva", tmp_path / "a.npy", tmp_path / "b.npy", bound="lossless")
    for name in ("out.h5", "out.tiff", "out.docx"):
        status, _, stderr = run("decompress", tmp_path / "ab.inva", "-o", tmp_path / name)
        assert status == 1 and "give a folder" in stderr and not (tmp_path / name).exists()


def test_endings_are_checked_before_a_folder_is_made_and_need_no_dot(curve_file, tmp_path, run):
    archive_of(run, tmp_path / "a.inva", curve_file)
    status, _, stderr = run("decompress", tmp_path / "a.inva", "-o", tmp_path / "out", "--to", ".docx")
    assert status == 2 and ".xml" in stderr and not (tmp_path / "out").exists()
    assert run("decompress", tmp_path / "a.inva", "-o", tmp_path / "x.h5", "--to", ".xml")[0] == 2
    assert run("decompress", tmp_path / "a.inva", "-o", tmp_path / "out", "--to", "h5")[0] == 0
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".h5"]


def test_names_of_several_lines_are_printed_on_one(tmp_path, run):
    curve = invae.Curve([0.1, 0.2], [3.0, 1.0], name="first\nsecond\t\x1b[31mred", units={"q": "1/nm"})
    (tmp_path / "a.inva").write_bytes(invae.compress([curve], bound="abs:1"))
    invae.data.write(curve, tmp_path / "a.h5")
    assert run("list", tmp_path / "a.inva")[1].splitlines() == ["first second  [31mred"]
    assert all(line.startswith("#") for line in run("get", 0, tmp_path / "a.inva")[1].splitlines()[:2])
    assert len(run("info", tmp_path / "a.inva")[1].splitlines()) == 2
    records = run("evaluate", tmp_path / "a.h5", tmp_path / "a.inva")[1].split("#")[2].splitlines()
    assert len({line.count("\t") for line in records[1:]}) == 1


@pytest.mark.parametrize("name", ["run [/x]", "run [red]", "a :b: c"])
def test_names_are_no_markup_on_a_terminal(name, run, capsys, monkeypatch):
    from invae.cli.console import print_table

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_table([{name: name}], name)
    assert capsys.readouterr().out.count(name) == 3


def test_a_folder_without_permission_is_named_before_any_work(curve_file, tmp_path, run, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    status, _, stderr = run("compress", "absent.dat", "-o", tmp_path / "a.inva")
    assert status == 1 and "no permission" in stderr and str(tmp_path) in stderr


def test_too_little_memory_is_one_sentence(curve_file, run, monkeypatch):
    def greedy(*_, **__):
        raise MemoryError("Unable to allocate 60 GiB")

    monkeypatch.setattr("invae.data.read", greedy)
    status, stdout, stderr = run("info", curve_file)
    assert status == 1 and stdout == "" and "60 GiB" in stderr and stderr.count("\n") == 1


def test_one_value_is_described(tmp_path, run):
    np.save(tmp_path / "x.npy", np.float32(3))
    assert "float32 array of one value" in run("info", tmp_path / "x.npy")[1]


def test_data_are_not_replaced_by_what_is_made_of_them_even_with_force(tmp_path, run, rng):
    path = tmp_path / "x.npy"
    np.save(path, rng.normal(size=(20, 30)))
    before = path.read_bytes()
    for command in (
        ("compress", path, "--bound", "abs:1"),
        ("train", path),
        ("fit", path, "--operator", "blur", "--sigma", 1),
        ("reconstruct", path, "--with", path),
    ):
        status, _, stderr = run(*command, "-o", path, "--force")
        assert status == 1 and "would be lost" in stderr and path.read_bytes() == before
