"""The house rules: imports run one way, and `import invae` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "invae"

# Which rooms each room may import from. `errors` and `extras` are open to all, `persistence` to every room
# with models.
MAY_IMPORT = {
    "errors": set(),
    "extras": set(),
    "kernel_cache": set(),
    "data": set(),
    "linalg": {"persistence"},
    "persistence": {"data"},
    "operators": {"data", "linalg"},
    "autoencoders": {"data", "linalg", "operators", "persistence"},
    "classical": {"data", "linalg", "operators", "persistence"},
    "codec": {"data", "linalg", "autoencoders", "persistence"},
    "evaluation": {"data", "linalg", "operators", "autoencoders", "classical", "codec"},
    "report": {"data", "evaluation"},
    "files": {
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
        "files",
        "persistence",
    },
}
# Inside these rooms, too: folders and modules in the order in which they may build on each other.
ORDER_INSIDE = {
    "data": (
        "texts",
        "arguments",
        "records",
        "formats",
        "arrays",
        "read",
        "inventory",
        "write",
        "sets",
        "simulation",
        "__init__",
    ),
    "autoencoders": ("bayes_risk", "refine", "linear", "sparse", "steps", "networks", "__init__"),
    "codec": (
        "coding",
        "stream",
        "bounds",
        "sigma",
        "fields",
        "curves",
        "frames",
        "l2",
        "model",
        "learning",
        "container",
        "api",
        "__init__",
    ),
}
TORCH_ROOMS = {
    "autoencoders/sparse/lista.py",
    "autoencoders/networks.py",
    "autoencoders/linear/penalties.py",
    "autoencoders/linear/training.py",
    "codec/learning/network.py",
    "codec/learning/memory.py",
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
    allowed = MAY_IMPORT[room] | {room, "errors", "extras"}
    rooms = {m.split(".")[1] for m in imported_modules(path) if m.startswith("invae.")}
    assert rooms - {"__version__"} <= allowed


def module_of(name: str) -> list[str]:
    """Parts of a dotted name of ours below the room, down to a module that exists."""
    parts = name.split(".")[1:]
    while parts and not (
        PACKAGE.joinpath(*parts).is_dir() or PACKAGE.joinpath(*parts).with_suffix(".py").is_file()
    ):
        parts = parts[:-1]
    return parts[1:]


@pytest.mark.parametrize("room", ORDER_INSIDE)
def test_imports_run_one_way_inside_a_room(room):
    order, upward, unlisted = ORDER_INSIDE[room], [], set()
    for path in sorted((PACKAGE / room).rglob("*.py")):
        own = path.relative_to(PACKAGE / room).with_suffix("").parts[0]
        for name in imported_modules(path):
            if not name.startswith(f"invae.{room}."):
                continue
            other = (module_of(name) or ["__init__"])[0]
            unlisted |= {own, other} - set(order)
            if not unlisted and order.index(other) > order.index(own):
                upward.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not unlisted, f"say in ORDER_INSIDE where {unlisted} belong"
    assert not upward


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


def test_the_drawing_of_the_rooms_names_every_room():
    drawing = (ROOT / "CONTRIBUTING.md").read_text().split("```")[3].split()
    folders = [path for depth in ("*/", "*/*/") for path in PACKAGE.glob(depth) if path.name != "__pycache__"]
    missing = {
        path.relative_to(PACKAGE).as_posix()
        for path in folders
        if f"{path.name}/" not in drawing and any(path.rglob("*.py"))
    }
    parts_of_floors = {"classical/fbp"}  # what a file became is no room
    assert missing - parts_of_floors == set()
