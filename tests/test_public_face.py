"""What a user sees of the package: names, their types, and one sentence where a library is missing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import invae
from invae import errors
from invae.errors import InvaeError, MissingExtraError
from invae.extras import EXTRA_OF, optional_imports

ROOT = Path(__file__).parents[1]


def test_the_stub_names_what_the_lazy_table_names_from_the_same_places():
    tree = ast.parse((ROOT / "invae" / "__init__.pyi").read_text())
    imported = {
        alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    listed = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign))
    assert imported == invae._MODULE_OF
    assert listed == invae.__all__


def test_errors_and_estimators_that_users_name_are_public():
    named = {"SparseAutoencoder", "ConvolutionalSparseAutoencoder", "ProbabilisticPCA", "Masked", "write"}
    assert named | set(errors.__all__) <= set(invae.__all__)


@pytest.mark.slow  # mypy reads NumPy's stubs: about a minute without its cache
def test_the_public_names_have_types(tmp_path):
    user = tmp_path / "user.py"
    user.write_text(
        "import invae\n"
        "reveal_type(invae.compress)\n"
        "reveal_type(invae.SparseAutoencoder)\n"
        "invae.Radon((8, 8), n_angles=30)\n"
        "invae.Radon((8, 8), n_angels=30)\n"
        "invae.no_such_name\n"
    )
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "--config-file", os.devnull]
        + ["--follow-imports", "silent", str(user)],
        capture_output=True,
        text=True,
        env=os.environ | {"MYPYPATH": str(ROOT)},
    )
    told = {}
    for line in found.stdout.splitlines():
        if line.startswith(str(user)):
            place, text = line.split(": ", 1)
            told.setdefault(int(place.rsplit(":", 1)[1]), []).append(text)
    assert set(told) == {2, 3, 5, 6}, found.stdout + found.stderr
    assert "def (data: Any, bound: str | invae.codec.bounds.Bound" in told[2][0]
    assert "-> invae.autoencoders.sparse.autoencoder.SparseAutoencoder" in told[3][0]
    assert told[5][0].startswith('error: Unexpected keyword argument "n_angels"')
    assert told[6][0].startswith("error: ") and "no_such_name" in told[6][0]


ABSENT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import invae
try:
    exec(sys.argv[2])
except invae.InvaeError as error:
    print(isinstance(error, ImportError), error)
print(invae.compress.__name__)
"""


@pytest.mark.parametrize(
    "module, statement, package, extra",
    [
        ("pylops", "invae.Radon", "pylops", "reconstruction"),
        ("sklearn", "from invae.classical import Cgls", "scikit-learn", "reconstruction"),
        ("torch", "import invae.autoencoders.linear.penalties", "torch", "deep"),
        ("sasmodels", "invae.data.simulate_curves(2)", "sasmodels", "simulation"),
    ],
)
def test_a_library_that_is_missing_is_named_with_the_extra_that_brings_it(module, statement, package, extra):
    code = [sys.executable, "-c", ABSENT, module, f"import invae.data; {statement}"]
    found = subprocess.run(code, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [
        f"True this needs {package}, which is not installed: pip install 'invae[{extra}]'",
        "compress",
    ]


def test_only_modules_of_extras_are_told_as_missing_extras():
    with pytest.raises(ModuleNotFoundError) as caught, optional_imports():
        raise ModuleNotFoundError("No module named 'typo'", name="typo")
    assert not isinstance(caught.value, InvaeError)
    with pytest.raises(MissingExtraError, match=r"pip install 'invae\[deep\]'"), optional_imports():
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")


def test_every_module_of_the_table_is_in_the_extra_that_it_names():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for package, extra in EXTRA_OF.values():
        assert any(line.split(">=")[0] == package for line in extras[extra]), (package, extra)
