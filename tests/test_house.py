"""The house rules that a machine can check: lint, format, types, public names, the README's commands."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import trajsim

ROOT = Path(__file__).parents[1]

# Arrows point down: a room imports from its own row and from those below it, for types and inside functions too.
ROWS = (
    "cli",
    "analysis convergence",
    "campaign",
    "samplers references ensemble two_time",
    "observables records",
    "model catalog initial",
    "terms",
    "lattice operators",
    "checks errors grid kernel_cache layout memory statistics streams",
)
APART = {  # what a room must not know although it stands above it or beside it
    "samplers": "references",
    "references": "samplers",
    "convergence": "analysis",
    "analysis": "samplers references campaign convergence ensemble two_time",
    "samplers.quantum_jump": "samplers.dicke_jump samplers.truncated_wigner",
    "samplers.dicke_jump": "samplers.quantum_jump samplers.truncated_wigner",
    "samplers.truncated_wigner": "samplers.quantum_jump samplers.dicke_jump",
    "references.lindblad": "references.permutation references.gaussian references.mean_field",
    "references.permutation": "references.lindblad references.gaussian references.mean_field",
    "references.gaussian": "references.lindblad references.permutation references.mean_field",
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=["lint", "format"])
def test_ruff_is_silent(command):
    result = run("ruff", *command, ".")
    assert result.returncode == 0, result.stdout + result.stderr


def test_mypy_is_silent():
    result = run("mypy", "trajsim", "analysis")
    assert result.returncode == 0, result.stdout + result.stderr


def test_public_names_resolve():
    for name in trajsim.__all__:
        assert getattr(trajsim, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = trajsim.nonsense


def test_import_is_lazy():
    code = "import sys, trajsim; print([m for m in ('numpy', 'numba', 'zarr', 'xarray', 'mpi4py') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["run", "tests"])
def test_readme_commands_are_one_line(name):
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(rf"<!-- {name} -->\n```sh\n(.*?)```", text, flags=re.DOTALL)
    assert len(block.strip().splitlines()) == 1


def test_packages_on_disk_are_packages_in_the_build():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "trajsim").rglob("__init__.py")}
    assert set(declared) == found | {"trajsim.analysis"}


def sources() -> dict[str, Path]:
    """Every module by its name without `trajsim.`; a package by its own."""
    found = {}
    for folder, prefix in ((ROOT / "trajsim", ()), (ROOT / "analysis", ("analysis",))):
        for path in folder.rglob("*.py"):
            parts = (*prefix, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: path for name, path in found.items() if name not in ("", "__main__")}


def imports(path: Path, modules: dict[str, Path]) -> set[str]:
    """The modules that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module=module, names=names, level=0):
                found |= {f"{module}.{name.name}" for name in names}
            case ast.ImportFrom(level=level):
                assert level == 1, f"{path}: write out an import that leaves its folder"
    inside = {name.removeprefix("trajsim.") for name in found if name.startswith("trajsim.")}
    return {name if name in modules else name.rpartition(".")[0] for name in inside} - {""}


def within(module: str, rooms: str) -> bool:
    return any(f"{module}.".startswith(f"{room}.") for room in rooms.split())


MODULES = sources()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrows_point_down(module):
    (row,) = [number for number, rooms in enumerate(ROWS) if within(module, rooms)]
    above = " ".join(ROWS[:row])
    apart = " ".join(rooms for room, rooms in APART.items() if within(module, room))
    assert not [other for other in imports(MODULES[module], MODULES) if within(other, f"{above} {apart}")]


def test_arrows_are_seen(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("import trajsim.campaign.run\ndef f():\n    from trajsim.samplers import status, protocol as p\n")
    assert imports(path, MODULES) == {"campaign.run", "samplers.status", "samplers.protocol"}
    path.write_text("from trajsim import Lattice, mpi\nfrom trajsim.model import SpinModel\n")
    assert imports(path, MODULES) == {"model"}
    assert within("samplers.status", "cli samplers")
    assert not within("samplers_of.status", "cli samplers")


def test_no_path_of_a_machine_is_committed():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    pattern = re.compile(r"(^|[\s\"'=(])/(home|root|work|opt|Users)/")
    for name in tracked.stdout.split():
        if name.endswith((".py", ".md", ".toml", ".sh", ".lock", ".yaml")) and name != "tests/test_house.py":
            assert not pattern.search((ROOT / name).read_text()), name
