"""CPU time of the steady state of an all-to-all model: trajsim's `Permutation` against QuTiP's PIQS and `steadystate`.

    python benchmarks/permutation_vs_piqs.py [--spins 40] [--repeats 3] [--alone 95]

The all-to-all XYZ model of Huybrechts et al. 2020, (Jx, Jy, Jz) = (0.6, 1.7, 1), local decay gamma = 1. On one thread:

1. Every setting of QuTiP's `steadystate` of a scan solves the model once; those whose <Sz> and <Sx Sx> agree with the
   rest to 1e-6 are candidates, the fastest is the peer.
2. Both sides are timed in turns, in one process, CPU time, from the parameters of the model to the density matrix:
   PIQS builds its Liouvillian and solves; trajsim builds the `SpinModel` and solves. Besides, both without what comes
   before the Liouvillian: PIQS without building, trajsim without the model.

--alone: further sizes for trajsim only, with the memory of the process and the residual.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy: idle threads of a matrix library would count as CPU time

import argparse
import resource
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import qutip
from qutip import piqs

from trajsim import Lattice, SpinModel, catalog
from trajsim.references.permutation import Permutation

COUPLINGS = (0.6, 1.7, 1.0)
SETTINGS: tuple[dict[str, Any], ...] = (
    *({"method": "direct", "permc_spec": p} for p in ("COLAMD", "MMD_ATA", "MMD_AT_PLUS_A")),
    *({"method": "direct", "use_rcm": True, "permc_spec": p} for p in ("COLAMD", "MMD_AT_PLUS_A", "NATURAL")),
    {"method": "direct", "use_wbm": True},
    *({"method": "direct", "solver": s, "use_precond": True, "use_rcm": True, "rtol": 1e-9}
      for s in ("gmres", "lgmres", "bicgstab")),
    {"method": "power"},
)  # fmt: skip
AGREEMENT = 1e-6


class Answer(NamedTuple):
    """Mean <Sz> per spin and <Sx Sx> of a pair, and CPU seconds: of the whole, and of the last part."""

    numbers: np.ndarray[Any, np.dtype[np.float64]]
    whole: float
    solve: float


def theirs(spins: int, setting: dict[str, Any]) -> Answer:
    begin = time.process_time()
    system = piqs.Dicke(N=spins, emission=1.0)
    j = piqs.jspin(spins)
    system.hamiltonian = sum(2 * J / (spins - 1) * a**2 for J, a in zip(COUPLINGS, j, strict=True))
    liouvillian = system.liouvillian()
    built = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rho = qutip.steadystate(liouvillian, **setting)
    end = time.process_time()
    pair = (qutip.expect(j[0] ** 2, rho) - spins / 4) / (spins * (spins - 1))
    return Answer(np.array([qutip.expect(j[2], rho) / spins, pair]), end - begin, end - built)


def build(spins: int) -> SpinModel:
    return catalog.dissipative_xyz(Lattice.complete(spins), *COUPLINGS)


def ours(spins: int) -> Answer:
    begin = time.process_time()
    model = build(spins)
    built = time.process_time()
    rho = Permutation().steady_density(model)
    end = time.process_time()
    return Answer(np.array([rho.first_moments[2] / spins, rho.pair(0, 0)]), end - begin, end - built)


def scan(spins: int) -> dict[str, Any]:
    """The fastest setting that is right."""
    answers = []
    for setting in SETTINGS:
        try:
            answers.append((setting, theirs(spins, setting)))
        except Exception as error:
            print(f"  {setting}: failed, {str(error)[:60]}")
            continue
        print(f"  {setting}: {answers[-1][1].whole:.3f} s", flush=True)
    middle = np.median([answer.numbers for _, answer in answers], axis=0)
    right = [(answer.whole, number) for number, (_, answer) in enumerate(answers)
             if np.abs(answer.numbers - middle).max() < AGREEMENT]  # fmt: skip
    return answers[min(right)[1]][0]


def compare(spins: int, repeats: int, asked: float = 10.0) -> tuple[float, float]:
    """Ratios of CPU time, of the whole and of the solution alone."""
    ours(8)  # compile, or load what was compiled
    setting = scan(spins)
    pairs = [(ours(spins), theirs(spins, setting)) for _ in range(repeats)]
    difference = max(np.abs(a.numbers - b.numbers).max() for a, b in pairs)

    def median(read: Callable[[tuple[Answer, Answer]], float]) -> float:
        return statistics.median(read(pair) for pair in pairs)

    mine, peers = median(lambda p: p[0].whole), median(lambda p: p[1].whole)
    own, other = median(lambda p: p[0].solve), median(lambda p: p[1].solve)
    verdict = "ok" if peers / mine >= asked else "MISSED"
    print(
        f"N = {spins}  trajsim {1e3 * mine:.1f} ms (without the model {1e3 * own:.1f})  "
        f"PIQS {1e3 * peers:.1f} ms (steadystate alone {1e3 * other:.1f}; {setting})\n"
        f"  ratio {peers / mine:.1f} (solutions alone {other / own:.1f}), asked {asked:.0f}: {verdict}  "
        f"largest difference {difference:.1e}"
    )
    return peers / mine, other / own


def alone(spins: int) -> None:
    begin = time.process_time()
    rho = Permutation().steady_density(build(spins))
    used = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"N = {spins}  {used:.1f} s CPU  peak {peak:.2f} GiB  residual {rho.residual:.1e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spins", type=int, nargs="*", default=[40])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--alone", type=int, nargs="*", default=[])
    arguments = parser.parse_args()
    for spins in arguments.spins:
        compare(spins, arguments.repeats)
    for spins in arguments.alone:
        alone(spins)


if __name__ == "__main__":
    main()
