from __future__ import annotations

from typing import Any

import pytest

from trajsim.errors import InputError
from trajsim.lattice import Lattice


@pytest.mark.parametrize(
    ("spec", "lattice"),
    [
        ({"kind": "chain", "length": 5}, Lattice.chain(5)),
        ({"kind": "chain", "length": 5, "periodic": False}, Lattice.chain(5, periodic=False)),
        ({"kind": "ladder", "length": 3, "periodic": False}, Lattice.ladder(3, periodic=False)),
        ({"kind": "square", "lx": 3, "ly": 4}, Lattice.square(3, 4)),
        (
            {"kind": "square", "lx": 3, "ly": 2, "periodic": [True, False]},
            Lattice.square(3, 2, (True, False)),
        ),
        ({"kind": "square", "a": [2, 2], "b": [-2, 2]}, Lattice.tilted("square", (2, 2), (-2, 2))),
        ({"kind": "triangular", "a": [3, 0], "b": [0, 3]}, Lattice.triangular(3, 3)),
        ({"kind": "cubic", "lx": 3, "ly": 3, "lz": 4}, Lattice.cubic(3, 3, 4)),
        ({"kind": "cylinder", "lx": 1, "ly": 4}, Lattice.cylinder(1, 4)),
        ({"kind": "complete", "n_sites": 8}, Lattice.complete(8)),
        ({"kind": "edges", "n_sites": 3, "edges": [[0, 1], [1, 2]]}, Lattice.from_edges(3, [(0, 1), (1, 2)])),
    ],
    ids=str,
)
def test_tables_as_written_in_a_campaign(spec: dict[str, Any], lattice: Lattice) -> None:
    assert Lattice.from_spec(spec) == lattice


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("chain", r"`lattice` must be a table.*'chain'"),
        ({"length": 4}, r"`lattice.kind` must be one of chain, .*missing"),
        ({"kind": "kagome"}, r"`lattice.kind` must be one of chain, .*'kagome'"),
        ({"kind": ["chain"]}, r"`lattice.kind` must be one of chain"),
        ({"kind": "chain", "lenght": 4}, r"only the keys kind, length, periodic .* but it has lenght$"),
        ({"kind": "chain"}, r"`lattice` must have the keys length .*length is missing"),
        ({"kind": "square", "lx": 4}, r"keys lx, ly, or instead a, b .*ly is missing"),
        ({"kind": "square", "a": [4, 0]}, r"keys a, b .*b is missing"),
        (
            {"kind": "square", "a": [4, 0], "b": [0, 4], "periodic": True},
            r"square parallelogram.*has periodic",
        ),
        ({"kind": "chain", "length": 4.0}, r"`length` must be a whole number, but it is 4.0"),
        ({"kind": "chain", "length": True}, r"`length` must be a whole number, but it is True"),
        ({"kind": "chain", "length": "4"}, r"`length` must be a whole number, but it is '4'"),
        ({"kind": "chain", "length": 0, "periodic": False}, r"`length` must be at least 1, but it is 0"),
        ({"kind": "chain", "length": -3}, r"`length` must be at least 1, but it is -3"),
        ({"kind": "chain", "length": 10**30}, r"`length` must be at most 1000000"),
        ({"kind": "square", "lx": 10**4, "ly": 10**4}, r"`lattice` must have at most 1000000 sites"),
        ({"kind": "square", "a": [10**4, 0], "b": [1, 10**4]}, r"`lattice` must have at most 1000000 sites"),
        (
            {"kind": "chain", "length": 1},
            r"`length` must be at least 3 .*is 1: a site would be its own neighbour",
        ),
        ({"kind": "chain", "length": 2}, r"`length` must be at least 3 .*is 2: each bond would appear twice"),
        ({"kind": "ladder", "length": 2}, r"`length` must be at least 3 .*twice"),
        ({"kind": "square", "lx": 4, "ly": 2}, r"`ly` must be at least 3 .*twice"),
        ({"kind": "triangular", "lx": 2, "ly": 4}, r"`lx` must be at least 3 .*twice"),
        ({"kind": "cubic", "lx": 3, "ly": 3, "lz": 2}, r"`lz` must be at least 3 .*twice"),
        ({"kind": "cylinder", "lx": 4, "ly": 2}, r"`ly` must be at least 3 .*twice"),
        ({"kind": "chain", "length": 4, "periodic": [True]}, r"`periodic` must be true or false"),
        ({"kind": "chain", "length": 4, "periodic": 1}, r"`periodic` must be true or false, but it is 1"),
        ({"kind": "square", "lx": 4, "ly": 4, "periodic": [True]}, r"`periodic` must be .*list of 2"),
        ({"kind": "square", "lx": 4, "ly": 4, "periodic": "x"}, r"`periodic` must be .*'x'"),
        ({"kind": "square", "a": [4, 0], "b": [2, 0]}, r"`a` and `b` must span .*parallel"),
        ({"kind": "square", "a": [2, 0], "b": [0, 4]}, r"`a` and `b` must span .*a bond would appear twice"),
        ({"kind": "square", "a": [1, 1], "b": [-1, 1]}, r"`a` and `b` must span .*a bond would appear twice"),
        ({"kind": "triangular", "a": [1, 0], "b": [0, 4]}, r"`a` and `b` must span .*its own neighbour"),
        ({"kind": "square", "a": [4], "b": [0, 4]}, r"`a` must be a pair of whole numbers"),
        ({"kind": "square", "a": [4, 0.5], "b": [0, 4]}, r"`a\[1\]` must be a whole number, but it is 0.5"),
        ({"kind": "complete", "n_sites": 1}, r"`n_sites` must be at least 2"),
        ({"kind": "edges", "n_sites": 3, "edges": 4}, r"`edges` must be a list of pairs"),
        ({"kind": "edges", "n_sites": 3, "edges": [[0, 1], [1]]}, r"`edges\[1\]` must be a pair"),
        (
            {"kind": "edges", "n_sites": 3, "edges": [[0, 3]]},
            r"`edges\[0\]` must join two of the sites 0 ... 2",
        ),
        ({"kind": "edges", "n_sites": 3, "edges": [[-1, 0]]}, r"`edges\[0\]` must join two of the sites"),
        ({"kind": "edges", "n_sites": 3, "edges": [[1, 1]]}, r"`edges\[0\]` must join two different sites"),
        ({"kind": "edges", "n_sites": 3, "edges": [[0, 1], [1, 0]]}, r"`edges\[1\]` must be a new bond"),
    ],
    ids=str,
)
def test_errors_name_the_key(spec: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Lattice.from_spec(spec)


def test_arguments_of_methods_are_checked() -> None:
    with pytest.raises(InputError, match="`kind` must be square or triangular, but it is 'cubic'"):
        Lattice.tilted("cubic", (3, 0), (0, 3))
    for site in (-1, 4):
        with pytest.raises(InputError, match=r"`site` must be one of 0 \.\.\. 3"):
            Lattice.chain(4).neighbours(site)
