from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from fake_ensemble import Model, Sampler, Target

from trajsim.campaign.schedule import Outcome, PointPlan
from trajsim.layout import BlockData


def target(standard_error: float, **changes: int) -> Target:
    settings = {"min_trajectories": 10, "min_jumps": 0, "round_blocks": 3, **changes}
    return Target("magnetisation", "y", standard_error, **settings)


def outcomes(blocks: int, rule: Target, size: int = 4, **settings: object) -> tuple[list[Outcome], np.ndarray]:
    """Outcomes of a point, and all samples (trajectory, time) of the target's number."""
    sampler = Sampler(Model(1.0), dict(settings))
    place = rule.locate(sampler.layout)
    data = [sampler.run_block(1, size * b, size, keep_raw=True) for b in range(blocks)]
    return [Outcome.of(d, place) for d in data], np.concatenate([d.raw[:, :, place[1]] for d in data])


def draw(plan: PointPlan, source: list[Outcome], order: random.Random | None = None) -> list[int]:
    """Play all rounds; returns the number of blocks after each."""
    rounds = []
    while missing := plan.missing():
        if order is not None:
            order.shuffle(missing)
        for block in missing:
            plan.outcomes[block] = source[block]
        rounds.append(len(plan.outcomes))
    return rounds


def test_without_a_target_all_blocks_are_one_round() -> None:
    plan = PointPlan(7, None)
    plan.outcomes[2] = outcomes(1, target(1.0))[0][0]
    assert plan.missing() == [0, 1, 3, 4, 5, 6]
    assert not plan.reached
    assert plan.total == 7


def test_the_standard_error_is_that_of_all_samples() -> None:
    source, samples = outcomes(12, target(0.0), failing=0.2)
    plan = PointPlan(12, target(0.0))
    draw(plan, source)
    good = samples[~np.isnan(samples[:, 0])]
    expected = np.max(good.std(axis=0, ddof=1) / math.sqrt(len(good)))
    assert plan.standard_error == pytest.approx(expected, rel=1e-12)
    assert not plan.reached
    assert plan.total == 12


@pytest.mark.parametrize("seed", range(5))
def test_the_stop_does_not_depend_on_order_or_resumption(seed: int) -> None:
    rule = target(0.25)
    source, _ = outcomes(40, rule)
    first = PointPlan(40, rule)
    rounds = draw(first, source)
    assert 3 < rounds[-1] < 40
    shuffled = PointPlan(40, rule)
    draw(shuffled, source, random.Random(seed))
    resumed = PointPlan(40, rule)  # some blocks are there already, some of them beyond the stop
    resumed.outcomes.update({b: source[b] for b in random.Random(seed).sample(range(40), 15)})
    draw(resumed, source)
    for plan in (shuffled, resumed):
        assert plan.reached
        assert plan.total == first.total == rounds[-1]
        assert plan.standard_error == first.standard_error


def test_rounds_are_whole_and_end_with_the_blocks() -> None:
    rule = target(0.0)
    plan = PointPlan(8, rule)
    assert draw(plan, outcomes(8, rule)[0]) == [3, 6, 8]


@pytest.mark.parametrize(("changes", "first_stop"), [({}, 3), ({"min_trajectories": 20}, 6), ({"min_jumps": 130}, 6)])
def test_nothing_is_decided_on_too_little(changes: dict[str, int], first_stop: int) -> None:
    """Blocks of 4 trajectories with about 8 jumps each; a standard error of 10 is reached at once."""
    rule = target(10.0, **changes)
    source, _ = outcomes(12, rule, failing=0.0)
    plan = PointPlan(12, rule)
    assert draw(plan, source)[-1] == first_stop


def test_trajectories_that_never_differ_wait_for_jumps() -> None:
    """Until one jumps all trajectories agree and the sample variance is zero: that is no reason to stop."""
    still = Outcome(4, {}, 0, np.zeros(1), np.zeros(1))
    plan = PointPlan(9, target(0.1, min_jumps=1))
    assert draw(plan, [still] * 9) == [3, 6, 9]
    assert not plan.reached


def test_failed_trajectories_do_not_count() -> None:
    layout = Sampler(Model(1.0), {}).layout
    empty = np.full((layout.rows, layout.width), np.nan)
    failed = BlockData(empty, empty, np.full(4, 3, np.int8), np.ones((4, 2), np.int64), np.empty(0), np.empty(0))
    rule = target(0.25)
    lost = Outcome.of(failed, rule.locate(layout))
    assert (lost.trajectories, lost.failures) == (0, {3: 4})
    source, _ = outcomes(40, rule)
    mixed = list(itertools.chain.from_iterable((lost, block) for block in source))
    plan = PointPlan(80, rule)
    draw(plan, mixed)
    assert plan.reached
    only = PointPlan(9, rule)
    draw(only, [lost] * 9)
    assert not only.reached
    assert only.standard_error == math.inf
