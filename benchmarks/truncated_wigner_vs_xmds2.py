"""Spins times steps per second of CPU time on one core: trajsim's truncated Wigner against XMDS2, the same equations.

    apt-get install xmds2
    python benchmarks/truncated_wigner_vs_xmds2.py [--cells 50] [--repeats 6]

The gain-loss chain (h = g/2, gain = 1.5 g, loss = 0.6 g, S = 100, step 0.02 / g) from all spins along x. XMDS2
integrates the rotation of each spin, written down as in its manual, by its semi-implicit method of the same order (SI)
with two evaluations of the drift a step, as trajsim's, and besides with three, its default; its fastest generator
(dsfmt), compiled with -O3 -march=native -ffast-math, its default. Both sides draw 32 trajectories of the same length:
XMDS2 one after the other (its driver multi-path), trajsim all at once. Whole runs are timed, in turns, CPU time: start,
initial spins and measurement included, compilation not. All must agree on the magnetisation, XMDS2 with two iterations
less closely: |s| then drifts, and <S^z>/S is off by 0.05 at t = 400.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from trajsim import TruncatedWigner, catalog, grid, initial
from trajsim import observables as obs

TARGETS = {"double": 8.0, "single": 11.0}
S, G, H, GAIN, LOSS, STEP = 100.0, 1.0, 0.5, 1.5, 0.6, 0.02
STEPS = 20_000
LANES = 32  # trajectories
AGREEMENT = {3: 0.02, 2: 0.1}  # of <S^z>/S, by iterations

SCRIPT = """<?xml version="1.0" encoding="UTF-8"?>
<simulation xmds-version="2">
  <name>{name}</name>
  <driver name="multi-path" paths="{paths}" />
  <features>
    <globals> <![CDATA[ const double S = {S}, g = {g}, h = {h}, gain = {gain}, loss = {loss}; ]]> </globals>
  </features>
  <geometry>
    <propagation_dimension> t </propagation_dimension>
    <transverse_dimensions>
      <dimension name="n" type="integer" lattice="{cells}" domain="(0, {last})" />
    </transverse_dimensions>
  </geometry>
  <vector name="spins" type="real" dimensions="n">
    <components> ax ay az bx by bz </components>
    <initialisation> <![CDATA[ ax = bx = 1.0 + 0.5 / S; ay = az = by = bz = 0.0; ]]> </initialisation>
  </vector>
  <noise_vector name="noises" dimensions="n" kind="wiener" type="real" method="dsfmt" seed="1 2 3">
    <components> w1 w2 w3 w4 </components>
  </noise_vector>
  <sequence>
    <integrate algorithm="SI" interval="{interval}" steps="{steps}" iterations="{iterations}">
      <samples> {samples} </samples>
      <operators>
        <integration_vectors> spins </integration_vectors>
        <dependencies> noises </dependencies>
        <![CDATA[
          const int left = (n + {last}) % {cells}, right = (n + 1) % {cells};
          const double tax = g*bx + h*bx(n => left) + gain*ay + sqrt(gain/S)*w1;
          const double tay = g*by + h*by(n => left) - gain*ax + sqrt(gain/S)*w2;
          const double tbx = g*ax + h*ax(n => right) - loss*by + sqrt(loss/S)*w3;
          const double tby = g*ay + h*ay(n => right) + loss*bx + sqrt(loss/S)*w4;
          dax_dt = tay*az; day_dt = -tax*az; daz_dt = tax*ay - tay*ax;
          dbx_dt = tby*bz; dby_dt = -tbx*bz; dbz_dt = tbx*by - tby*bx;
        ]]>
      </operators>
    </integrate>
  </sequence>
  <output format="ascii" filename="{name}.xsil">
    <sampling_group basis="n(0)" initial_sample="no">
      <moments> za zb </moments>
      <dependencies> means </dependencies>
      <![CDATA[ za = ma; zb = mb; ]]>
    </sampling_group>
  </output>
</simulation>
"""
MEANS = """  <computed_vector name="means" dimensions="" type="real">
    <components> ma mb </components>
    <evaluation>
      <dependencies> spins </dependencies>
      <![CDATA[ ma = az / {cells}; mb = bz / {cells}; ]]>
    </evaluation>
  </computed_vector>
  <sequence>"""


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Xmds:
    """A compiled XMDS2 program."""

    def __init__(self, folder: Path, cells: int, steps: int, iterations: int, samples: int = 200) -> None:
        self.folder, self.name, self.samples = folder, f"chain{iterations}", samples
        text = SCRIPT.replace("  <sequence>", MEANS, 1).replace('basis="n(0)"', 'basis=""')
        values = {
            "name": self.name, "S": S, "g": G, "h": H, "gain": GAIN, "loss": LOSS, "cells": cells, "last": cells - 1,
            "interval": steps * STEP, "steps": steps, "iterations": iterations, "samples": samples, "paths": LANES,
        }  # fmt: skip
        (folder / f"{self.name}.xmds").write_text(text.format(**values))
        done = subprocess.run(
            ["xmds2", f"{self.name}.xmds"], cwd=folder, capture_output=True, text=True, check=False, timeout=300
        )
        if not (folder / self.name).exists():
            raise SystemExit(f"xmds2 made no program:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def seconds(self) -> float:
        before = cpu_of_children()
        subprocess.run([f"./{self.name}"], cwd=self.folder, capture_output=True, check=True, timeout=600)
        return cpu_of_children() - before

    def magnetisations(self) -> np.ndarray:
        """<S^z>/S of both sublattices, mean over trajectories and over the last three quarters of the time.

        A row is the time, the means, and their standard errors.
        """
        numbers = []
        for line in (self.folder / f"{self.name}.xsil").read_text().splitlines():
            try:
                numbers.append([float(word) for word in line.split()])
            except ValueError:
                continue
        rows = np.array([row[1:3] for row in numbers if len(row) == 5])
        return rows[len(rows) // 4 :].mean(axis=0)


class Ours:
    """One group of trajectories of trajsim."""

    def __init__(self, cells: int, steps: int, precision: str) -> None:
        model = catalog.gain_loss_chain(cells, S, G, H, GAIN, LOSS)
        end = steps * STEP
        self.compiled = TruncatedWigner(time_step=STEP, precision=precision).compile(
            model,
            initial.Product("+x"),
            grid.SteadyState(0.25 * end, 0.75 * end, 0.0075 * end),
            [obs.SublatticeMoments(("z",))],
        )
        self.compiled.warm_up()
        self.found = np.zeros(2)

    def seconds(self) -> float:
        began = time.process_time()
        data = self.compiled.run_block(1, 0, LANES)
        took = time.process_time() - began
        assert data is not None
        self.found = data.mean[0, [0, 2]] / S
        return took

    def magnetisations(self) -> np.ndarray:
        return self.found


def compare(cells: int, steps: int, repeats: int) -> Iterator[str]:
    """Lines of the report. Raises SystemExit if the results do not agree."""
    spin_steps = 2 * cells * steps * LANES
    with tempfile.TemporaryDirectory() as folder:
        sides: dict[str, Xmds | Ours] = {
            "XMDS2 SI, 2 iterations": Xmds(Path(folder), cells, steps, 2),
            "XMDS2 SI, 3 iterations": Xmds(Path(folder), cells, steps, 3),
            **{f"trajsim, {precision}": Ours(cells, steps, precision) for precision in TARGETS},
        }
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(repeats):
            for name, side in sides.items():
                rates[name].append(spin_steps / side.seconds())
        yield f"{2 * cells} spins, {steps} steps of {LANES} trajectories, {repeats} turns; spins times steps a second"
        reference = rates["XMDS2 SI, 2 iterations"]
        for name, found in rates.items():
            turns = statistics.median(mine / theirs for mine, theirs in zip(found, reference, strict=True))
            verdict = ""
            if name.startswith("trajsim"):
                target = TARGETS[name.split()[-1]]
                verdict = f"  target {target:g}: {'reached' if turns >= target else 'MISSED'}"
            yield (
                f"{name:24s} best {max(found):.3g}  median {statistics.median(found):.3g}  "
                f"ratio in turns {turns:5.2f}  of the best {max(found) / max(reference):5.2f}{verdict}"
            )
        values = {name: side.magnetisations() for name, side in sides.items()}
        for name, z in values.items():
            yield f"{name:24s} <S^z_a>/S {z[0]:.3f}  <S^z_b>/S {z[1]:.3f}"
        for iterations, allowed in AGREEMENT.items():
            worst = float(np.abs(values["trajsim, double"] - values[f"XMDS2 SI, {iterations} iterations"]).max())
            if worst > allowed:
                raise SystemExit(f"the results differ by {worst:.3f}: these are not the same equations")


def main(arguments: list[str] | None = None, write: Callable[[str], object] = print) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--repeats", type=int, default=6)
    options = parser.parse_args(arguments)
    if shutil.which("xmds2") is None:
        write("skipped: there is no xmds2 here; install it with `apt-get install xmds2`")
        return 0
    os.environ["OMP_NUM_THREADS"] = "1"
    for line in compare(options.cells, options.steps, options.repeats):
        write(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
