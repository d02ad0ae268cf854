"""The house rules that a machine can check: lint, format, types, public names, the README's commands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import trajsim

ROOT = Path(__file__).parents[1]


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


def test_no_path_of_a_machine_is_committed():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    pattern = re.compile(r"(^|[\s\"'=(])/(home|root|work|opt|Users)/")
    for name in tracked.stdout.split():
        if name.endswith((".py", ".md", ".toml", ".sh", ".lock", ".yaml")) and name != "tests/test_house.py":
            assert not pattern.search((ROOT / name).read_text()), name
