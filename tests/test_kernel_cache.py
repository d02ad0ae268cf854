from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from trajsim import streams
from trajsim.kernel_cache import stamp_of
from trajsim.samplers.quantum_jump import kernel as jump_kernel
from trajsim.samplers.quantum_jump import measurement, operator_bank

INNER = """
from pathlib import Path
from numba import njit
from trajsim.kernel_cache import renew, stamp_of
STAMP = stamp_of(Path(__file__).parent.glob("*.py"))
@njit(cache=True)
def inner(x):
    return x + {number}
renew(globals(), STAMP)
"""
OUTER = """
from numba import njit
from inner import STAMP, inner
from trajsim.kernel_cache import renew
@njit(cache=True)
def outer(x):
    return inner(x)
renew(globals(), STAMP)
print(outer(0), sum(outer.stats.cache_hits.values()))
"""


def run(folder: Path) -> tuple[int, ...]:
    result = subprocess.run(
        [sys.executable, "outer.py"], cwd=folder, capture_output=True, text=True, timeout=120, check=True
    )
    return tuple(int(number) for number in result.stdout.split())


def test_a_kernel_that_calls_a_changed_one_is_compiled_again(tmp_path):
    # numba alone prints 1 in the last two runs
    (tmp_path / "outer.py").write_text("import outer_\n")
    (tmp_path / "outer_.py").write_text(OUTER)
    (tmp_path / "inner.py").write_text(INNER.format(number=1))
    assert run(tmp_path) == (1, 0)
    assert run(tmp_path) == (1, 1)  # loaded
    (tmp_path / "inner.py").write_text(INNER.format(number=100))
    assert run(tmp_path) == (100, 0)  # compiled again
    assert run(tmp_path) == (100, 1)


def test_every_kernel_has_the_stamp_of_all():
    modules = (streams, operator_bank, jump_kernel, measurement)
    kernels = [kernel for m in modules for kernel in vars(m).values() if hasattr(kernel, "signatures")]
    assert len(kernels) > 20
    package = Path(streams.__file__).parent
    rooms = [path for room in ("samplers", "references") for path in (package / room).rglob("*.py")]
    stamp = stamp_of([*rooms, package / "streams.py"])
    assert {kernel._cache._cache_file._source_stamp for kernel in kernels} == {stamp}


def test_every_module_with_kernels_asks_for_it():
    package = Path(streams.__file__).parent
    for path in package.rglob("*.py"):
        if "@njit" in path.read_text():
            assert path.read_text().endswith("\nrenew(globals())\n"), path


def test_the_stamp_depends_on_kernels_only(tmp_path):
    paths = [tmp_path / name for name in ("a.py", "b.py", "c.py")]
    for path in paths:
        path.write_text(f"import numba  # {path.name}" if path.name != "c.py" else "no kernel")
    stamp = stamp_of(paths)
    assert stamp == stamp_of(paths[::-1]) == stamp_of(paths[:2])
    paths[0].write_text("import numba  # other")
    assert stamp != stamp_of(paths)
