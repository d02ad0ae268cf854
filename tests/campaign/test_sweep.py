"""Expansion of [sweep]: order, zip, product, and every way to get it wrong."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.campaign.sweep import MAX_POINTS, expand, put


def expanded(table: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    faults: list[str] = []
    return expand(table, faults.append), faults


def test_no_sweep_is_one_point_without_coordinates() -> None:
    assert expanded({}) == ([{}], [])


def test_lists_are_combined_in_file_order_last_key_fastest() -> None:
    points, faults = expanded({"model.Jx": [1.0, 2.0], "model.Jy": [3.0, 4.0]})
    assert not faults
    assert [tuple(point.values()) for point in points] == [(1.0, 3.0), (1.0, 4.0), (2.0, 3.0), (2.0, 4.0)]
    assert all(list(point) == ["model.Jx", "model.Jy"] for point in points)


def test_zipped_tables_change_together_and_combine_with_lists() -> None:
    pairs = [{"model.Jx": 2.0, "model.Jy": 0.0}, {"model.Jy": 2.0, "model.Jx": 4.0}]
    points, faults = expanded({"zip": pairs, "sampler.tolerance": [1e-6, 1e-8]})
    assert not faults
    assert [tuple(point.values()) for point in points] == [
        (2.0, 0.0, 1e-6),
        (2.0, 0.0, 1e-8),
        (4.0, 2.0, 1e-6),
        (4.0, 2.0, 1e-8),
    ]


def test_unquoted_dotted_keys_mean_the_same() -> None:
    quoted = expanded({"model.lattice.length": [4, 6], "zip": [{"model.Jx": 1.0}]})
    nested = expanded({"model": {"lattice": {"length": [4, 6]}}, "zip": [{"model": {"Jx": 1.0}}]})
    assert quoted == nested


def test_whole_numbers_beside_real_ones_become_real() -> None:
    points, _ = expanded({"model.Jx": [1, 2.5]})
    assert [type(point["model.Jx"]) for point in points] == [float, float]
    points, _ = expanded({"model.lattice.length": [4, 6]})
    assert [type(point["model.lattice.length"]) for point in points] == [int, int]


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"model.Jx": 1.0}, '`sweep."model.Jx"` must be a list of one or more values, but 1.0 was given'),
        ({"model.Jx": []}, '`sweep."model.Jx"` must be a list'),
        ({"model": {}}, '`sweep."model"` must be a list'),
        ({"zip": {"model.Jx": [1.0]}}, "`sweep.zip` must be a list of tables"),
        ({"zip": []}, "`sweep.zip` must be a list of tables"),
        ({"zip": [{}]}, "`sweep.zip` must be a list of tables"),
        ({"zip": [{"model.Jx": 1.0}, {"model.Jy": 1.0}]}, "`sweep.zip[1]` must have the keys `model.Jx`, but it has"),
        ({"zip": [{"model.Jx": 1.0}], "model.Jx": [2.0]}, '`sweep."model.Jx"` must be swept once'),
        ({"model.a": [{}], "model.a.b": [2.0]}, '`sweep."model.a.b"` must not be part of another swept value, but `mo'),
        ({"model.Jx": [1.0, "a"]}, "must hold values of one kind, but it mixes numbers and text"),
        ({"model.Jx": [1, True]}, "must hold values of one kind, but it mixes numbers and true or false"),
        ({"model.Jx": [1.0, 2.0, 1]}, "must give every point once, but points 0 and 2 are the same"),
        ({"a.b": list(range(1000)), "a.c": list(range(1000))}, f"must give at most {MAX_POINTS} points, but it gives"),
    ],
)
def test_faults_name_the_key(table: dict[str, Any], fault: str) -> None:
    _, faults = expanded(table)
    assert len(faults) == 1
    assert fault in faults[0]


names = st.text("abcxyz", min_size=1, max_size=4)
axes = st.dictionaries(
    names.map("model.{}".format),
    st.lists(st.floats(-5, 5).map(lambda x: x + 0.0), min_size=1, max_size=4, unique=True),
    max_size=4,
)


@given(axes)
def test_product_has_every_combination_once(table: dict[str, list[float]]) -> None:
    points, faults = expanded(table)
    assert not faults
    assert len(points) == math.prod(map(len, table.values()))
    assert [tuple(point.values()) for point in points] == list(itertools.product(*table.values()))


scalars = st.integers() | st.text(max_size=3) | st.booleans()
junk = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))


@given(st.dictionaries(names | st.just("zip"), junk))
def test_junk_gives_faults_or_points(table: dict[str, Any]) -> None:
    points, faults = expanded(table)
    assert points
    assert all(isinstance(fault, str) for fault in faults)


def test_put_replaces_adds_and_does_not_touch_the_original() -> None:
    tree = {"model": {"lattice": {"length": 4}, "terms": [{"coefficient": 1.0}, {"coefficient": 2.0}]}}
    assert put(tree, "model.lattice.length", 6)["model"]["lattice"] == {"length": 6}
    assert put(tree, "model.Jx", 1.0)["model"]["Jx"] == 1.0
    assert put(tree, "model.terms.1.coefficient", 5.0)["model"]["terms"] == [{"coefficient": 1.0}, {"coefficient": 5.0}]
    assert tree["model"] == {"lattice": {"length": 4}, "terms": [{"coefficient": 1.0}, {"coefficient": 2.0}]}


@pytest.mark.parametrize("path", ["model.terms.7.coefficient", "model.terms.x", "model.length.x"])
def test_put_refuses_a_path_that_leads_nowhere(path: str) -> None:
    with pytest.raises(KeyError):
        put({"model": {"length": 4, "terms": [{}]}}, path, 1.0)
