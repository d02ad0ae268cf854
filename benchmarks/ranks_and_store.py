"""Throughput of some ranks against one, the share of store and bookkeeping, and memory against ensemble size.

    python benchmarks/ranks_and_store.py [--sites 10 12 14 16] [--ranks 2] [--repeats 3]

For each size a campaign runs on one rank and on several, with as many trajectories on one as on two and with the number
growing as the ranks beyond, each rank's time measured inside the run (provenance of the store: time in trajectories,
time in all), start-up and compilation apart. Runs alternate, the best of the repeats counts. ratio: of trajectories in
unit time to those of one rank. overhead: share of a rank alone that is not spent in trajectories (store, bookkeeping).
What n ranks fall short of n is twofold: slower, by how much a trajectory takes longer beside other ranks (shared cache,
memory and clock, the machine's affair), and idle, the share of all ranks that is not spent in trajectories (ours).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CAMPAIGN = """
[model]
name = "dissipative_xyz"
lattice = {{ kind = "chain", length = {sites} }}
Jx = 2.0
Jy = 0.0
Jz = 1.0

[sampler]
method = "quantum_jump"

[initial]
state = "product"
axis = "-z"

[steady_state]
burn_in = 2.0
duration = {duration}
sample_every = 0.5

[ensemble]
trajectories = {trajectories}
block = {block}
seed = 1

[record]
magnetisation = ["x", "y", "z"]
correlation = ["xx", "yy", "zz"]
"""

# sites -> duration, trajectories, block: half a minute of work on one rank, in blocks of about a second
WORK = {
    10: (16.0, 24576, 768), 12: (16.0, 6144, 192), 14: (8.0, 3072, 64), 16: (8.0, 384, 8), 18: (2.0, 64, 2)
}  # fmt: skip


def launcher() -> list[str]:
    """The launcher of this environment, kept on this machine, or that of the system."""
    beside = Path(sys.executable).parent / "mpiexec"
    if beside.exists():
        return [str(beside), "-iface", "lo"]
    found = shutil.which("mpiexec")
    if found is None:
        sys.exit("no mpiexec beside this Python or on the PATH: pip install mpich")
    return [found]


def run(campaign: Path, store: Path, ranks: int) -> tuple[float, float, int]:
    """Wall time of the slowest rank, time in trajectories of all ranks, peak memory (KiB) of a rank."""
    shutil.rmtree(store, ignore_errors=True)
    command = [sys.executable, "-m", "trajsim", "run", str(campaign), "--store", str(store)]
    if ranks > 1:
        command = [*launcher(), "-n", str(ranks), *command]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, check=True, env={**os.environ, "UCX_TLS": "self,sm"}, **quiet)
    records = [json.loads(p.read_text())["attributes"] for p in store.glob("provenance/**/zarr.json")]
    records = [r for r in records if "loop_seconds" in r]
    return (
        max(r["loop_seconds"] for r in records),
        sum(r["trajectory_seconds"] for r in records),
        max(r["peak_memory_kib"] for r in records),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, nargs="+", default=[10, 12, 14, 16], choices=sorted(WORK))
    parser.add_argument("--ranks", type=int, nargs="+", default=[2])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        campaign, store = Path(folder) / "campaign.toml", Path(folder) / "store.zarr"
        print(f"{'N':>3} {'ranks':>5} {'one s':>7} {'all s':>7} {'ratio':>6} {'overhead':>9} {'slower':>7} {'idle':>6}")
        for sites in options.sites:
            duration, trajectories, block = WORK[sites]
            work = {"sites": sites, "duration": duration, "block": block}
            campaign.write_text(CAMPAIGN.format(trajectories=block, **work))
            run(campaign, store, 1)  # compile, warm caches
            times: dict[int, list[tuple[float, float]]] = {ranks: [] for ranks in (1, *options.ranks)}
            for _ in range(options.repeats):
                for ranks, found in times.items():
                    total = trajectories * max(2, ranks) // 2
                    campaign.write_text(CAMPAIGN.format(trajectories=total, **work))
                    found.append(run(campaign, store, ranks)[:2])
            one, alone = min(times[1])
            for ranks in options.ranks:
                wall, busy = min(times[ranks])
                more = max(2, ranks) / 2
                shares = f"{1 - alone / one:8.1%} {busy / (more * alone) - 1:7.1%} {1 - busy / (ranks * wall):6.1%}"
                print(f"{sites:3d} {ranks:5d} {one:7.2f} {wall:7.2f} {more * one / wall:6.2f} {shares}", flush=True)
        duration, trajectories, block = WORK[12]
        peaks = []
        for factor in (1, 4):
            campaign.write_text(
                CAMPAIGN.format(sites=12, duration=duration, trajectories=factor * trajectories // 2, block=block)
            )
            peaks.append(run(campaign, store, 1)[2])
        once, fourfold = (peak / 1024 for peak in peaks)
        print(f"peak memory of a rank, N = 12: {once:.1f} MiB; four times the trajectories: {fourfold:.1f} MiB")


if __name__ == "__main__":
    main()
