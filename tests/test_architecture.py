"""The house rules: imports run one way, and `import invae` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "invae"

# Which rooms each room may import from. `errors` is open to all, `persistence` to every room with models.
MAY_IMPORT = {
    "errors": set(),
    "data": set(),
    "linalg": {"persistence"},
    "persistence": {"data"},
    "operators": {"data", "linalg"},
    "autoencoders": {"data", "linalg", "operators", "persistence"},
    "classical": {"data", "linalg", "operators", "persistence"},
    "codec": {"data", "linalg", "autoencoders", "persistence"},
    "evaluation": {"data", "linalg", "operators", "autoencoders", "classical", "codec"},
    "report": {"data", "evaluation"},
    "interop": {
        "data",
        "linalg",
        "operators",
        "autoencoders",
        "classical",
        "codec",
        "evaluation",
        "persistence",
    },
    "cli": {
        "data",
        "linalg",
        "operators",
        "autoencoders",
        "classical",
        "codec",
        "evaluation",
        "report",
        "interop",
        "persistence",
    },
}
TORCH_ROOMS = {
    "autoencoders/lista.py",
    "autoencoders/networks.py",
    "autoencoders/penalties.py",
    "autoencoders/training.py",
    "codec/learning/network.py",
    "codec/learning/recurrent.py",
}


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules():
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    allowed = MAY_IMPORT[room] | {room, "errors"}
    rooms = {m.split(".")[1] for m in imported_modules(path) if m.startswith("invae.")}
    assert rooms - {"__version__"} <= allowed


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_torch_stays_in_its_rooms(path):
    if not any(m == "torch" or m.startswith("torch.") for m in imported_modules(path)):
        return
    assert str(path.relative_to(PACKAGE)) in TORCH_ROOMS


def test_nothing_in_the_package_imports_the_experiments():
    for path in modules():
        assert not any(m.split(".")[0] in {"experiments", "tests"} for m in imported_modules(path)), path


def loaded_by(statement):
    code = f"import sys; {statement}; print(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_import_is_light():
    heavy = {
        "torch",
        "pylops",
        "sklearn",
        "h5py",
        "matplotlib",
        "scipy",
        "numba",
        "skimage",
        "lxml",
        "sasmodels",
    }
    assert not heavy & loaded_by("import invae")


def test_archives_are_opened_without_the_rooms_of_learning():
    assert not {"torch", "pylops", "sklearn", "matplotlib", "sasmodels"} & loaded_by("import invae.codec")


def test_every_public_name_loads():
    import invae

    for name in invae.__all__:
        assert getattr(invae, name) is not None
