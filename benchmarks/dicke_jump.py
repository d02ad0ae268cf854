"""CPU time of Dicke jumps per trajectory and unit time, in units of a fixed calibration kernel timed in the same run.

    python benchmarks/dicke_jump.py [--repeats 5] [--large]

No other package draws j-resolved trajectories, so there is no peer to time. Each line gives the time and the same time
in calibration kernels: y += a x on complex vectors of 4096 numbers by numpy, the best of all repeats. Besides, what
the sampler does in a unit of time: jumps, steps, order of the Taylor series, amplitudes in the populated window and on
the whole ladder's sector.

Models: all-to-all XYZ, `dissipative_xyz` on the complete graph, gamma = 1, started from all spins down and timed in the
steady state, tolerance 1e-6. Goals (seconds on the machine that the goals were measured on): a prototype without a
window took 0.093 ms at N = 95, 4.9 ms at N = 1000 in the ferromagnetic phase, and 3.4 ms in the paramagnetic phase,
of which a third is asked for.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy

import argparse
import time
from typing import NamedTuple

import numpy as np

from trajsim import DickeJump, Lattice, catalog
from trajsim.grid import TimeGrid
from trajsim.initial import Product
from trajsim.observables import JumpCounts
from trajsim.samplers.dicke_jump import CompiledDickeJump
from trajsim.samplers.dicke_jump.kernel import dicke_advance
from trajsim.samplers.dicke_jump.recording import dicke_begin
from trajsim.samplers.dicke_jump.state import DickeCounters
from trajsim.streams import stream_key


class Case(NamedTuple):
    """burn_in, duration: unit times. goal: seconds of CPU time per unit time, if there is one."""

    spins: int
    Jy: float
    burn_in: float
    duration: float
    goal: float | None


CASES = (
    Case(95, 1.7, 10.0, 400.0, 0.093e-3),
    Case(200, 1.7, 10.0, 200.0, None),
    Case(500, 1.7, 10.0, 100.0, None),
    Case(1000, 1.7, 10.0, 60.0, 4.9e-3),
    Case(1000, 1.15625, 10.0, 100.0, None),
    Case(1000, 1.1, 10.0, 400.0, 3.4e-3 / 3),
)
LARGE = (Case(10_000, 1.7, 10.0, 4.0, None), Case(10_000, 1.1, 10.0, 100.0, None))


def calibration(repeats: int = 20) -> float:
    """Seconds of y += a x on 4096 complex numbers."""
    x, y = np.full(4096, 0.5 + 0.25j), np.zeros(4096, dtype=complex)
    best = np.inf
    for _ in range(repeats):
        begin = time.process_time()
        for _ in range(200):
            y += (0.1 - 0.3j) * x
        best = min(best, (time.process_time() - begin) / 200)
    return best


class Running:
    """One trajectory, evolved piece by piece without looking at it."""

    def __init__(self, case: Case) -> None:
        model = catalog.dissipative_xyz(Lattice.complete(case.spins), Jx=0.6, Jy=case.Jy, Jz=1.0)
        self.sampler: CompiledDickeJump = DickeJump().compile(model, Product("-z"), TimeGrid((1.0,)), [JumpCounts()])
        self.space, _ = self.sampler._space()
        self.space = self.space._replace(
            logged_time=self.space.logged_time[:0], logged_channel=self.space.logged_channel[:0]
        )
        self.clock, self.counters = np.zeros(6), np.zeros(len(DickeCounters()), dtype=np.int64)
        self.key, self.jumps = stream_key(1, "benchmark"), np.zeros(1, dtype=np.int64)
        dicke_begin(self.sampler._ladder, self.space, self.sampler._ensemble, self.clock, self.counters, 1.0)
        self.advance(case.burn_in)

    def advance(self, duration: float) -> float:
        """CPU seconds for so much time."""
        begin = time.process_time()
        status = dicke_advance(
            self.sampler._ladder, self.sampler._kraus, self.space, self.clock, self.counters, self.jumps, self.key,
            np.uint64(0), 1e-6, self.clock[0] + duration, 0.0, np.iinfo(np.int64).max,
        )  # fmt: skip
        assert status == 0
        return time.process_time() - begin


def line(case: Case, repeats: int) -> tuple[str, float]:
    """The line of a case, and its time per unit time over the goal (0 without one)."""
    running = Running(case)
    at, before, jumps = DickeCounters(), running.counters.copy(), int(running.jumps[0])
    unit = calibration()
    seconds = []
    for _ in range(repeats):
        seconds.append(running.advance(case.duration / repeats) * repeats / case.duration)
        unit = min(unit, calibration())
    done = running.counters - before
    best, median = min(seconds), float(np.median(seconds))
    ladder = running.sampler._ladder
    whole = ladder.spins // ladder.stride + 1
    text = (
        f"N = {case.spins:5d}, Jy = {case.Jy:7.5f}: {1e3 * median:8.4f} ms per unit time (best {1e3 * best:.4f}) = "
        f"{median / unit:8.2f} calibration kernels of {1e6 * unit:.2f} us; "
        f"{(running.jumps[0] - jumps) / case.duration:.1f} jumps, {done[at.steps] / case.duration:.1f} steps of order "
        f"{done[at.products] / done[at.steps]:.1f}, {done[at.work] / done[at.products]:.0f} of {whole} amplitudes"
    )
    if case.goal is None:
        return text, 0.0
    return f"{text}; goal {1e3 * case.goal:.3f} ms: {case.goal / median:.1f} times faster", median / case.goal


def main() -> int:
    """Print the lines; 1 if a goal is missed by more than 10 %."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="ten thousand spins besides")
    options = parser.parse_args()
    missed = False
    for case in CASES + (LARGE if options.large else ()):
        text, over = line(case, options.repeats)
        print(text, flush=True)
        missed |= over > 1.1
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
