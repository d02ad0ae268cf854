"""A campaign whose trajectories cost nothing and are pure functions of (seed, point, index), and a program to run it.

    python fake_ensemble.py CAMPAIGN STORE [CAMPAIGN STORE ...]

behaves like `trajsim run`: exit status 0, 1 with one line on stderr, or 75 when a signal interrupted it.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from trajsim.campaign import mpi


def never() -> bool:
    return False


@dataclass(frozen=True)
class Model:
    strength: float
    lattice: None = None
    n_sites: int = 1
    spins: tuple[float, ...] = (0.5,)

    @property
    def decay_modes(self) -> dict[str, Any]:
        return {}

    @property
    def hash(self) -> str:
        return hashlib.sha256(repr(self.strength).encode()).hexdigest()

    def __str__(self) -> str:
        return f"a random walk of strength {self.strength}"


@dataclass(frozen=True)
class Target:
    observable: str
    component: str
    standard_error: float
    min_trajectories: int
    min_jumps: int
    round_blocks: int

    def of(self, layout: Any) -> Target:  # noqa: ARG002 - its layouts have jumps
        return self

    def locate(self, layout: Any) -> tuple[slice, int]:
        field = layout.field(self.observable)
        return slice(None), field.offset + field.coords["component"].index(self.component)


@dataclass(frozen=True)
class Sampler:
    model: Model
    settings: dict[str, Any]

    @property
    def layout(self) -> Any:
        from trajsim.layout import Field, Layout

        steady = self.settings.get("steady", False)
        components = ["x", "y", "z"][: self.settings.get("components", 3)]
        about = Field("magnetisation", ("component",), {"component": components}, "hbar", "mean spin")
        return Layout(
            fields=(about,),
            times=None if steady else tuple(float(t) for t in range(self.settings.get("times", 5))),
            steady={"burn_in": 1.0, "duration": 8.0, "sample_every": 1.0} if steady else None,
            channels=("decay", "gain"),
            levels=3 if steady else 0,
            pair_fields=(Field("purity", (), {}, "1", "purity"),) if self.records else (),
            jump_channels=(("decay(0)", "decay"), ("gain(0)", "gain")) if self.records else None,
            final_state=(4, "complex64") if self.records else None,
        )

    @property
    def records(self) -> bool:
        return bool(self.settings.get("records", False))

    def warm_up(self) -> None:
        pass

    def run_block(
        self, seed: int, first: int, count: int, keep_raw: bool = False, interrupted: Callable[[], bool] = never
    ) -> Any:
        import numpy as np

        from trajsim.errors import InputError
        from trajsim.layout import BlockData

        layout = self.layout
        rows = np.full((count, layout.rows, layout.width), np.nan)
        status = np.zeros(count, dtype=np.int8)
        jumps = np.zeros((count, 2), dtype=np.int64)
        for i in range(count):
            if interrupted():
                return None
            if first + i == self.settings.get("fail_at"):
                raise {"input": InputError, "bug": ZeroDivisionError}[self.settings["fail_with"]]("`x` must not fail")
            time.sleep(self.settings.get("pause", 0.0) * self.model.strength)
            text = f"{seed} {self.model.hash} {first + i}"
            random = np.random.Generator(np.random.Philox(int(hashlib.sha256(text.encode()).hexdigest()[:32], 16)))
            status[i] = 3 * (random.random() < self.settings.get("failing", 0.1))
            jumps[i] = random.poisson(4.0, 2)
            draw = self.model.strength * random.normal(size=rows.shape[1:])
            if status[i] == 0:
                rows[i] = draw
        records = self.record(jumps, status, seed + first) if self.records else {}
        good = rows[status == 0]
        mean = good.mean(axis=0) if len(good) else np.full(rows.shape[1:], np.nan)
        m2 = ((good - mean) ** 2).sum(axis=0)
        batch_m2 = np.outer(np.arange(layout.levels), m2[0])
        batch_count = np.arange(layout.levels)
        return BlockData(mean, m2, status, jumps, batch_m2, batch_count, rows if keep_raw else None, **records)

    def record(self, jumps: Any, status: Any, seed: int) -> dict[str, Any]:
        """Jumps that fit the counts, states, and moments of pairs."""
        import numpy as np

        from trajsim.samplers.jump_records import JumpRecords

        random = np.random.default_rng(seed)
        records = JumpRecords()
        for decays, gains in jumps:
            channels = random.permutation(np.repeat([0, 1], [decays, gains]))
            times = np.sort(1.0 + 8.0 * random.random(len(channels)))
            half = len(times) // 2
            records.append(times[:half], channels[:half])
            records.append(times[half:], channels[half:])
            records.end()
        states = (random.normal(size=(len(jumps), 4)) + 1j * random.normal(size=(len(jumps), 4))).astype(np.complex64)
        states[status != 0] = np.nan
        pairs = random.random((2, self.layout.rows, 1))
        return {**records.finish(), "final_state": states, "pair_mean": pairs[0], "pair_m2": pairs[1]}


@dataclass(frozen=True)
class Point:
    coordinates: dict[str, Any]
    model: Model
    settings: dict[str, Any]

    @property
    def sampler(self) -> Sampler:
        return Sampler(self.model, self.settings)

    def compile(self) -> Sampler:
        return self.sampler


@dataclass(frozen=True)
class Campaign:
    text: str
    settings: dict[str, Any]
    strengths: tuple[float, ...]
    seed: int | None
    trajectories: int
    block: int
    raw: bool
    target: Target | None

    @classmethod
    def parse(cls, text: str) -> Campaign:
        document = tomllib.loads(text)
        ensemble = document["ensemble"]
        target = ensemble.get("target")
        return cls(
            text=text,
            settings=document.get("sampler", {}),
            strengths=tuple(document.get("sweep", {}).get("model.strength", [1.0])),
            seed=ensemble.get("seed"),
            trajectories=ensemble["trajectories"],
            block=ensemble["block"],
            raw=ensemble.get("raw", False),
            target=None if target is None else Target(**target),
        )

    def points(self) -> tuple[Point, ...]:
        return tuple(Point({"model.strength": s}, Model(s), self.settings) for s in self.strengths)

    def identity(self, point: Point) -> str:
        lasting = {key: value for key, value in self.settings.items() if key not in ("pause", "fail_at", "fail_with")}
        parts = (point.model.hash, sorted(lasting.items()), self.seed, self.block, self.raw)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def with_seed(self, seed: int) -> Campaign:
        return replace(self, seed=seed)


def campaign(
    *, trajectories: int = 24, block: int = 4, seed: int | None = 7, target: str = "", raw: bool = False, **sampler: Any
) -> str:
    """Text of a campaign; keywords that are not of [ensemble] go to [sampler], `strengths` to [sweep]."""
    strengths = sampler.pop("strengths", [1.0])
    lines = ["[ensemble]", f"trajectories = {trajectories}", f"block = {block}", f"raw = {str(raw).lower()}"]
    lines += [f"seed = {seed}"] if seed is not None else []
    lines += [f"target = {target}"] if target else []
    lines += ["[sampler]"]
    lines += [f"{key} = {str(v).lower() if isinstance(v, bool) else repr(v)}" for key, v in sampler.items()]
    return "\n".join([*lines, "[sweep]", f'"model.strength" = {strengths}', ""])


def main(arguments: list[str]) -> int:
    mpi.pin_threads()
    from trajsim.campaign.run import EXIT_INTERRUPTED, run_campaign
    from trajsim.errors import StoreLockedError, TrajsimError

    if limit := os.environ.get("FAKE_FILE_SIZE_LIMIT"):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        ranks = mpi.connect(lambda error: 4 if isinstance(error, StoreLockedError) else 3)
        with ranks.together():
            for file, store in zip(arguments[::2], arguments[1::2], strict=True):
                with open(file, encoding="utf-8") as opened:
                    wanted = Campaign.parse(opened.read())
                report = run_campaign(wanted, store, ranks)
                if ranks.rank == 0:
                    print(report, flush=True)
                if report.interrupted:
                    return EXIT_INTERRUPTED
    except TrajsimError as error:
        sys.stderr.write(f"trajsim: error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
