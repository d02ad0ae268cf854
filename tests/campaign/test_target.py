"""[ensemble.target]: which number of a block it means."""

from __future__ import annotations

from typing import Any

import pytest

from trajsim.campaign.sections import read
from trajsim.campaign.target import Target
from trajsim.errors import InputError
from trajsim.layout import Field, Layout

FIELDS = (
    Field("magnetisation", ("component",), {"component": ["x", "z"]}, "1", "", 0),
    Field(
        "correlation", ("pair", "displacement"), {"pair": ["xx", "zz"], "displacement": ["0", "1", "-1"]}, "1", "", 2
    ),
    Field("plane", ("pair", "displacement"), {"pair": ["xx"], "displacement": ["(0,0)", "(1,0)"]}, "1", "", 8),
    Field("distribution", ("component", "m"), {"component": ["x"], "m": [-1.0, 0.0, 1.0]}, "1", "", 10),
    Field("energy", (), {}, "1", "", 13),
)
STEADY = Layout(FIELDS, None, {"burn_in": 1.0, "duration": 2.0, "sample_every": 1.0}, ("decay",), 2)
TIMES = Layout(FIELDS, (0.0, 0.1, 0.2, 0.30000000000000004), None, ("decay",), 0)


def target(**table: Any) -> Target:
    return read(Target, "ensemble.target", {"standard_error": 0.1, **table})


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ({"observable": "magnetisation", "component": "z"}, 1),
        ({"observable": "correlation", "pair": "xx", "displacement": 1}, 3),
        ({"observable": "correlation", "pair": "zz", "displacement": -1}, 7),
        ({"observable": "correlation", "pair": "zz", "displacement": "0"}, 5),
        ({"observable": "plane", "displacement": [1, 0]}, 9),  # its only pair need not be named
        ({"observable": "distribution", "m": -1}, 10),
        ({"observable": "distribution", "m": 0.0}, 11),
        ({"observable": "energy"}, 13),
    ],
)
def test_column(table: dict[str, Any], column: int) -> None:
    assert target(**table).locate(STEADY) == (slice(None), column)


def test_time_names_a_row_and_none_means_all() -> None:
    assert target(observable="energy", time=0.3).locate(TIMES) == (slice(3, 4), 13)
    assert target(observable="energy").locate(TIMES) == (slice(None), 13)


@pytest.mark.parametrize(
    ("table", "faults"),
    [
        (
            {"observable": "magnetization", "component": "z"},
            ["`ensemble.target.observable` must be one that [record] asks for (magnetisation, correlation, "],
        ),
        ({"observable": "magnetisation"}, ["`ensemble.target.component` must be one of x, z, but it is missing"]),
        (
            {"observable": "magnetisation", "component": "y"},
            ['`ensemble.target.component` must be one of x, z, but "y" was given'],
        ),
        (
            {"observable": "correlation", "component": "xx", "displacement": 7},
            [
                '`ensemble.target.component` must be left out, but "xx" was given: `correlation` has the dimensions '
                "pair, displacement",
                "`ensemble.target.pair` must be one of xx, zz, but it is missing",
                '`ensemble.target.displacement` must be one of 0, 1, -1, but "7" was given',
            ],
        ),
        ({"observable": "energy", "time": 1.0}, ["`ensemble.target.time` must be left out in the steady state"]),
    ],
)
def test_faults(table: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        target(**table).locate(STEADY)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(faults)
    for line, fault in zip(lines, faults, strict=True):
        assert line.startswith(fault)


def test_misspelt_observable_is_guessed() -> None:
    with pytest.raises(InputError, match="did you mean `magnetisation`"):
        target(observable="magnetization", component="z").locate(STEADY)


def test_time_must_be_on_the_grid() -> None:
    with pytest.raises(InputError, match=r"`ensemble.target.time` must be one of the times of \[times\], but 0.15"):
        target(observable="energy", time=0.15).locate(TIMES)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({}, "`ensemble.target.observable` must be given, but it is missing"),
        ({"observable": "energy", "standard_error": 0.0}, "`ensemble.target.standard_error` must be greater than 0"),
        ({"observable": "energy", "min_trajectories": 2}, "`ensemble.target.min_trajectories` must be at least 10"),
        ({"observable": "energy", "min_jumps": -1}, "`ensemble.target.min_jumps` must be at least 0, but -1"),
        ({"observable": "energy", "min_jumps": 1.5}, "`ensemble.target.min_jumps` must be a whole number, but 1.5"),
        ({"observable": "energy", "round_blocks": 0}, "`ensemble.target.round_blocks` must be at least 1"),
        ({"observable": "energy", "displacment": 1}, "did you mean `displacement`?"),
        ({"observable": "energy", "site": True}, "`ensemble.target.site` must be a number, text, or a list of whole"),
        ({"observable": "energy", "displacement": [1, 0.5]}, "must be a number, text, or a list of whole numbers"),
        ({"observable": 3}, "`ensemble.target.observable` must be text, but 3 was given"),
    ],
)
def test_section(table: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError) as caught:
        target(**table)
    assert fault in str(caught.value)
