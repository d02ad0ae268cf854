"""Campaign files: every fault is found before anything runs, and said with file, key, given and allowed."""

from __future__ import annotations

import contextlib
import copy
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trajsim.campaign.spec import Campaign
from trajsim.errors import CampaignError, InputError

BASE: dict[str, Any] = {
    "model": {"name": "dissipative_xyz", "lattice": {"kind": "chain", "length": 4}, "Jx": 2.0, "Jy": 0.0, "Jz": 1.0},
    "sampler": {"method": "quantum_jump", "tolerance": 1e-6},
    "initial": {"state": "product", "axis": "-z"},
    "steady_state": {"burn_in": 1.0, "duration": 4.0, "sample_every": 0.5},
    "ensemble": {"trajectories": 100, "block": 32, "seed": 1},
    "record": {"magnetisation": ["x", "z"], "correlation": ["xx", "zz"]},
}


def toml(value: Any) -> str:
    """A value as TOML text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() else f"\\U{ord(c):08x}" for c in value) + '"'
    return repr(value)


def document(tables: dict[str, Any]) -> str:
    return "\n".join(f"{toml(key)} = {toml(table)}" for key, table in tables.items())


def changed(*changes: tuple[str, Any]) -> str:
    """The base with values at dotted paths set, or removed where the value is None."""
    tables = copy.deepcopy(BASE)
    for path, value in changes:
        *parents, key = path.split(".")
        table = tables
        for parent in parents:
            table = table.setdefault(parent, {})
        if value is None:
            del table[key]
        else:
            table[key] = value
    return document(tables)


def faults(text: str) -> list[str]:
    with pytest.raises(CampaignError) as caught:
        Campaign.parse(text, "file.toml")
    lines = str(caught.value).splitlines()
    assert all(line.startswith("file.toml: ") for line in lines)
    return [line.removeprefix("file.toml: ") for line in lines]


def test_a_campaign_is_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(document(BASE), encoding="utf-8")
    campaign = Campaign.load(path)
    assert (campaign.path, campaign.text) == (str(path), document(BASE))
    assert (campaign.trajectories, campaign.block, campaign.blocks, campaign.seed) == (100, 32, 4, 1)
    assert (campaign.target, campaign.raw, campaign.common_random_numbers) == (None, False, False)
    (point,) = campaign.points()
    assert (point.index, point.coordinates, str(point)) == (0, {}, "point 0")
    assert point.model.n_sites == 4
    assert point.sampler.to_spec() == {
        "method": "quantum_jump",
        "tolerance": 1e-6,
        "precision": "double",
        "memory": "fast",
        "unravelling": "local",
    }
    assert point.grid.to_spec() == BASE["steady_state"]
    assert [observable.name for observable in point.observables] == ["magnetisation", "correlation"]
    assert point.layout.width == 2 + 2 * 4


def test_defaults() -> None:
    campaign = Campaign.parse(changed(("ensemble", {"trajectories": 33})))
    assert (campaign.block, campaign.blocks, campaign.seed, campaign.raw) == (32, 2, None, False)


def test_time_grid() -> None:
    text = changed(("steady_state", None), ("times", {"stop": 1.0, "step": 0.1}))
    (point,) = Campaign.parse(text).points()
    assert point.layout.times == pytest.approx([k / 10 for k in range(11)], abs=1e-15)


def test_sweep_builds_every_point() -> None:
    pairs = [{"model.Jx": 2.0, "model.Jy": 0.0}, {"model.Jx": 4.0, "model.Jy": 2.0}]
    campaign = Campaign.parse(changed(("sweep", {"zip": pairs, "model.lattice.length": [4, 6]})))
    points = campaign.points()
    assert [(p.model.parameters["Jx"], p.model.parameters["Jy"], p.model.n_sites) for p in points] == [
        (2.0, 0.0, 4),
        (2.0, 0.0, 6),
        (4.0, 2.0, 4),
        (4.0, 2.0, 6),
    ]
    assert [p.index for p in points] == [0, 1, 2, 3]
    assert points[3].coordinates == {"model.Jx": 4.0, "model.Jy": 2.0, "model.lattice.length": 6}
    assert len({campaign.identity(point) for point in points}) == 4


def test_swept_value_may_be_missing_in_its_section_and_other_sections_may_be_swept() -> None:
    sweep = {"model.Jx": [1.0, 2.0], "steady_state.burn_in": [1.0, 2.0], "sampler.tolerance": [1e-4]}
    points = Campaign.parse(changed(("model.Jx", None), ("sweep", sweep))).points()
    assert [point.grid.to_spec()["burn_in"] for point in points] == [1.0, 2.0, 1.0, 2.0]
    assert points[0].model is points[1].model  # shared parts are built once


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            [("modle", {})],
            "`modle` must be one of model, sampler, initial, times, steady_state, ensemble, record, sweep, ",
        ),
        ([("modle", {})], "did you mean `model`?"),
        ([("model", None)], "`model` must be given, but there is no section [model]"),
        ([("record", None)], "`record` must be given, but there is no section [record]"),
        ([("model", 3)], "`model` must be a table, but 3 was given"),
        ([("model.Jx", "strong")], "`model.Jx` must be a number, but 'strong' was given"),
        ([("model.Jw", 1.0)], "Jw"),
        ([("model.name", "xyz")], "`model.name` must be one of dissipative_xyz"),
        ([("model.Jx", math.nan)], "`model.Jx` must be a finite number, but nan was given"),
        ([("model.Jx", math.inf)], "`model.Jx` must be a finite number, but inf was given"),
        (
            [("model.lattice.length", 2)],
            "`model.lattice.length` must be at least 3 in a periodic direction, but it is 2",
        ),
        ([("model.lattice.length", 2**80)], "`model.lattice.length` must fit into 64 bits, but an integer of 81 bits"),
        ([("model.lattice.length", 200_000)], "`model.lattice` must have at most 100000 sites and bonds"),
        ([("model.lattice.lenght", 4)], "lenght"),
        (
            [("model.lattice.length", 40)],
            "`model` must have at most 2^28 basis states for quantum jumps, but it has 2^40",
        ),
        (
            [("sampler.method", "quantum_jmup")],
            "`sampler.method` must be one of quantum_jump, dicke_jump, truncated_wigner, but it is unknown; did you",
        ),
        (
            [("sampler.method", None)],
            "`sampler.method` must be one of quantum_jump, dicke_jump, truncated_wigner, but it is missing",
        ),
        ([("sampler.tolerence", 1e-6)], "did you mean `tolerance`?"),
        ([("sampler.tolerance", "small")], "`sampler.tolerance` must be a number from 1e-13 to 1e-2, but 'small'"),
        ([("initial.state", "cat")], "`initial.state` must be one of product"),
        ([("initial.axis", ["-z", "z"])], "`initial.axis` must have one entry per site (4), but it has 2"),
        ([("times", {"stop": 1.0, "step": 0.1})], "exactly one of [times] and [steady_state] must be given, but both"),
        ([("steady_state", None)], "exactly one of [times] and [steady_state] must be given, but there is neither"),
        ([("steady_state.duration", None)], "`steady_state.duration` must be given, but it is missing"),
        ([("steady_state.burn_in", -1.0)], "`steady_state.burn_in` must be at least 0.0, but -1.0 was given"),
        ([("steady_state.burn_in", True)], "`steady_state.burn_in` must be a number, but true was given"),
        (
            [("steady_state.sample_every", 0.7)],
            "`steady_state.sample_every` must divide `duration` = 4 into whole steps",
        ),
        ([("steady_state.sample_every", 1e-9)], "`steady_state` must hold at most 1000000 samples, but it holds 4e+09"),
        ([("ensemble.trajectories", 0)], "`ensemble.trajectories` must be at least 1, but 0 was given"),
        ([("ensemble.trajectories", 1.5)], "`ensemble.trajectories` must be a whole number, but 1.5 was given"),
        ([("ensemble.trajectories", None)], "`ensemble.trajectories` must be given, but it is missing"),
        ([("ensemble.block", 0)], "`ensemble.block` must be at least 1, but 0 was given"),
        ([("ensemble.blok", 3)], "did you mean `block`?"),
        ([("ensemble.seed", -1)], "`ensemble.seed` must be at least 0, but -1 was given"),
        (
            [("ensemble.seed", 2**63)],
            "`ensemble.seed` must be less than 9223372036854775808, but 9223372036854775808 was",
        ),
        ([("ensemble.raw", 1)], "`ensemble.raw` must be true or false, but 1 was given"),
        ([("ensemble.target", 3)], "`ensemble.target` must be a table, but 3 was given"),
        ([("record", {})], "`record` must ask for at least one observable, but it asks for none"),
        ([("record.magnetisation", ["w"])], "`record.magnetisation` must hold only x, y, z, but 'w' was given"),
        ([("record.magnetisaton", ["x"])], "magnetisaton"),
        ([("sweep", {"ensemble.block": [1, 2]})], '`sweep."ensemble.block"` must be a value of [model], [sampler]'),
        (
            [("sweep", {"times.stop": [1.0]})],
            '`sweep."times.stop"` must be a value of [model], [sampler], [initial], [st',
        ),
        ([("sweep", {"model": [1.0]})], '`sweep."model"` must be a value of [model], [sampler]'),
        ([("sweep", {"modle.Jx": [1.0]})], "did you mean `model`?"),
        ([("sweep", {"model.Jx.a": [1.0]})], '`sweep."model.Jx.a"` must lead to a value of the file'),
        ([("sweep", {"model.Jw": [1.0]})], "Jw"),
    ],
)
def test_fault(changes: list[tuple[str, Any]], fault: str) -> None:
    (line,) = faults(changed(*changes))
    assert fault in line


def test_all_faults_are_reported_at_once() -> None:
    lines = faults(
        changed(
            ("modle", {}),
            ("sampler.tolerance", 1.0),
            ("initial.state", "cat"),
            ("steady_state.burn_in", -1.0),
            ("steady_state.sample_evry", 1.0),
            ("ensemble.block", 0),
            ("ensemble.target", {"observable": "magnetisation", "standard_error": 0.1, "min_jump": 3}),
            ("record.magnetisation", ["w"]),
        )
    )
    keys = ["modle", "block", "min_jump", "tolerance", "state", "burn_in", "sample_evry", "magnetisation"]
    assert len(lines) == len(keys)
    assert all(key in line for key, line in zip(keys, lines, strict=True))


def test_fault_of_one_point_names_the_point() -> None:
    (line,) = faults(changed(("sweep", {"model.lattice.length": [4, 2], "model.Jx": [1.0, 2.0]})))
    assert line.endswith("(at point 2: model.lattice.length = 2, model.Jx = 1.0 and 1 more)")


def test_fault_of_all_points_names_none() -> None:
    (line,) = faults(changed(("model.Jy", "a"), ("sweep", {"model.Jx": [1.0, 2.0]})))
    assert "point" not in line


def test_a_faulty_sweep_does_not_hide_other_faults_nor_make_up_new_ones() -> None:
    lines = faults(changed(("model.Jx", None), ("initial.state", "cat"), ("sweep", {"model.Jx": [1.0, "a"]})))
    assert len(lines) == 2
    assert "mixes numbers and text" in lines[0]
    assert "initial.state" in lines[1]


def test_an_unreadable_section_makes_up_no_faults() -> None:
    (line,) = faults(changed(("model.Jy", math.nan), ("sweep", {"model.Jx": [1.0, 2.0]})))
    assert line == "`model.Jy` must be a finite number, but nan was given"
    (line,) = faults(changed(("model.Jx", None), ("sweep", {"model.Jx": [1.0, math.inf]})))
    assert line == "`sweep.model.Jx[1]` must be a finite number, but inf was given"


HAND = {
    "lattice": {"kind": "chain", "length": 6},
    "terms": [{"operators": ["Sx", "Sx"], "on": "bonds", "coefficient": 2.0}],
    "jumps": [{"operators": ["S-"], "on": "sites", "rate": 1.0, "label": "decay"}],
}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "model.jumps.0.rates",
            [[1.0, math.nan]],
            "`model.jumps[0].rates[0][1]` must be a finite number, but nan was given",
        ),
        ("model.jumps.0.rates", [[1, 0], [0, 1]], "`model.jumps[0].rates` must be 6 x 6, but it is 2 x 2"),
        ("model.jumps.0.label", 3, "`model.jumps[0].label` must be a name, but 3 was given"),
        (
            "model.terms.0.coefficient",
            "1j",
            "`model.terms` must be Hermitian, but the sum of its terms on sites (0, 1) is not",
        ),
        ("model.terms.0.coefficient", [1.7e308] * 6, None),
        (
            "record.operators.current",
            [{"operators": ["Sq"], "on": "sites"}],
            '`record.operators.current[0].operators` must be one of "I", "Sx", "Sy", "Sz", "S+", "S-", or a product of '
            "them, but 'Sq' was given",
        ),
        (
            "record.operators.current",
            [{"operators": ["S+"], "sites": [1]}],
            "`record.operators.current` must be Hermitian, but its part on sites [1] is not; record the Hermitian and "
            "the anti-Hermitian part as two operators",
        ),
        ("convergence.steps", [1e-2, "a"], '`convergence.steps[1]` must be a number, but "a" was given'),
    ],
)
def test_faults_are_named_as_the_file_spells_them(path: str, value: Any, message: str | None) -> None:
    tables = {**copy.deepcopy(BASE), "model": copy.deepcopy(HAND)}
    tables["record"]["operators"], tables["convergence"] = {}, {}
    *parents, key = path.split(".")
    table: Any = tables
    for parent in parents:
        table = table[int(parent) if parent.isdecimal() else parent]
    table[key] = value
    if key == "rates":
        del table["rate"]
    if message is None:
        Campaign.parse(document(tables))
    else:
        assert faults(document(tables)) == [message]


@pytest.mark.parametrize("sweep", [{}, {"sampler.tolerance": [1e-6, 1e-5]}])
def test_couplings_whose_sum_overflows_are_a_fault_of_the_file(sweep: dict[str, Any]) -> None:
    text = changed(("model.gamma", 1.7e308), ("sweep", sweep) if sweep else ("model.Jx", 1.0))
    point = Campaign.parse(text, "file.toml").points()[-1]
    where = f" (at point 1: sampler.tolerance = {1e-5})" if sweep else ""
    with pytest.raises(InputError) as caught:
        point.compile()
    assert str(caught.value) == (
        "file.toml: `model` must have couplings and rates whose sum is finite, but its effective Hamiltonian overflows"
        + where
    )


def test_target_is_looked_up_at_every_point() -> None:
    target = {"observable": "correlation", "pair": "xx", "displacement": 3, "standard_error": 0.1}
    good = changed(("model.lattice.length", 6), ("ensemble.target", target))
    campaign = Campaign.parse(good)
    assert campaign.target is not None
    assert campaign.target.locate(campaign.points()[0].layout)[1] == 2 + 5
    (line,) = faults(changed(("ensemble.target", target), ("sweep", {"model.lattice.length": [6, 4]})))
    assert line.startswith("`ensemble.target.displacement` must be one of 0, 1, -1, 2, but")
    assert line.endswith("(at point 1: model.lattice.length = 4)")


def test_target_needs_room() -> None:
    target = {"observable": "magnetisation", "component": "z", "standard_error": 0.1, "min_trajectories": 101}
    (line,) = faults(changed(("ensemble.target", target)))
    assert (
        line == "`ensemble.trajectories` must be at least `ensemble.target.min_trajectories` = 101, but 100 was given"
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a = ", "the file must be valid TOML, but: Invalid value (at end of document)"),
        (b"\xff\xfe", "the file must be UTF-8 text"),
        (b"a = " + b"[" * 5000, "the file must be valid TOML, but: it is nested too deeply"),
        (b"[sweep]\n" + b"a." * 5000 + b"a = 1", "must be at most 16 tables deep"),
        (b"ensemble = {seed = 2020-01-01}", "`ensemble.seed` must not be a date or a time, but 2020-01-01 was given"),
        (
            b"ensemble = {seed = 0x" + b"f" * 9000 + b"}",
            "must fit into 64 bits, but an integer of 36000 bits was given",
        ),
    ],
)
def test_files_that_are_no_campaign(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "junk.toml"
    path.write_bytes(content)
    with pytest.raises(CampaignError) as caught:
        Campaign.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert fault in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="must be readable, but: No such file"):
        Campaign.load(tmp_path / "nothing.toml")
    with pytest.raises(CampaignError, match="must be readable, but: Is a directory"):
        Campaign.load(tmp_path)


def identity(*changes: tuple[str, Any]) -> str:
    campaign = Campaign.parse(changed(*changes))
    return campaign.identity(campaign.points()[0])


@pytest.mark.parametrize(
    "change",
    [
        ("model.Jx", 2.0000001),
        ("model.lattice.length", 5),
        ("sampler.tolerance", 1e-7),
        ("initial.axis", "+z"),
        ("steady_state.burn_in", 2.0),
        ("ensemble.block", 16),
        ("ensemble.seed", 2),
        ("ensemble.raw", True),
        ("ensemble.common_random_numbers", True),
        ("record.magnetisation", ["z", "x"]),
    ],
)
def test_identity_changes_with_all_that_determines_trajectories_and_blocks(change: tuple[str, Any]) -> None:
    assert identity(change) != identity()


@pytest.mark.parametrize(
    "change",
    [
        ("ensemble.trajectories", 1000),
        ("ensemble.target", {"observable": "magnetisation", "component": "z", "standard_error": 0.1}),
        ("model.gamma", 1.0),  # the default
        ("model.Jx", 2),
        ("model.lattice.periodic", True),
        ("sampler.precision", "double"),
        ("steady_state.burn_in", 1),
    ],
)
def test_identity_does_not_change_with_the_wanted_number_or_the_wording(change: tuple[str, Any]) -> None:
    assert identity(change) == identity()


def test_drawn_seed() -> None:
    campaign = Campaign.parse(changed(("ensemble.seed", None)))
    assert campaign.seed is None
    again = campaign.with_seed(1)
    assert again.seed == 1
    assert again.identity(again.points()[0]) == identity()


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("runs/**/*.toml")), ids=lambda path: path.name)
def test_campaigns_that_we_ship_are_valid(path: Path) -> None:
    assert Campaign.load(path).points()


# Junk: whatever the file says, the answer is a campaign or a CampaignError --------------------------------------------

words = st.sampled_from(["x", "-z", "", "xx", "chain", "product", "haar", "configuration", "decay", "a b", "é\n"])
numbers = st.one_of(st.integers(-3, 9), st.integers(), st.floats(), st.booleans())
junk = st.recursive(
    words | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
PATHS = [
    *BASE,
    *(f"{section}.{key}" for section, table in BASE.items() for key in table),
    "model.lattice.kind",
    "model.lattice.length",
    "model.terms",
    "initial.m",
    "ensemble.target",
    "record.operators",
    "record.energy",
    "record.collective_distribution",
    "sweep",
    "times",
    "x",
]


def unlike_a_week_of_work(text: str) -> bool:
    """Valid input of any size is built, which takes its time: keep the sizes of this test small."""
    length = tomllib.loads(text).get("model", {})
    length = length.get("lattice", {}) if isinstance(length, dict) else {}
    length = length.get("length", 0) if isinstance(length, dict) else 0
    return not isinstance(length, int) or length < 100 or length > 1_000_000


@given(st.dictionaries(st.sampled_from(PATHS), junk, min_size=1, max_size=3))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_junk_in_any_place_gives_a_campaign_or_a_campaign_error(changes: dict[str, Any]) -> None:
    tables = copy.deepcopy(BASE)
    for path, value in changes.items():
        *parents, key = path.split(".")
        table = tables
        for parent in parents:
            table = table[parent] if isinstance(table.get(parent), dict) else table.setdefault(f"{parent}_", {})
        table[key] = value
    text = document(tables)
    if not unlike_a_week_of_work(text):
        return
    with contextlib.suppress(CampaignError):
        Campaign.parse(text, "file.toml")


@given(st.text())
@settings(max_examples=200)
def test_any_text_gives_a_campaign_error(text: str) -> None:
    with pytest.raises(CampaignError):
        Campaign.parse(text)


@given(st.sampled_from(list(BASE)), st.text("abcdefghij_", min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_unknown_keys_are_always_named(section: str, key: str) -> None:
    if key in BASE[section] or key in {"h", "field", "energy", "raw"}:
        return
    assert any(key in line for line in faults(changed((f"{section}.{key}", 1))))


finite = st.floats(1e-3, 1e3)


@given(
    couplings=st.fixed_dictionaries({"Jx": st.floats(-9, 9), "Jy": st.floats(-9, 9), "Jz": st.floats(-9, 9)}),
    length=st.integers(3, 8),
    tolerance=st.floats(1e-12, 1e-2),
    window=st.tuples(st.floats(0, 1e3), st.floats(1e-2, 10.0), st.integers(1, 1000)),
    ensemble=st.fixed_dictionaries(
        {"trajectories": st.integers(1, 10**12), "block": st.integers(1, 10**6), "seed": st.integers(0, 2**63 - 1)}
    ),
)
@settings(max_examples=40, deadline=None)
def test_round_trip(
    couplings: dict[str, float],
    length: int,
    tolerance: float,
    window: tuple[float, float, int],
    ensemble: dict[str, int],
) -> None:
    burn_in, every, samples = window
    steady = {"burn_in": burn_in, "duration": samples * every, "sample_every": every}
    lattice = {"kind": "chain", "length": length}
    campaign = Campaign.parse(
        changed(
            ("model", {"name": "dissipative_xyz", "lattice": lattice, **couplings}),
            ("sampler.tolerance", tolerance),
            ("steady_state", steady),
            ("ensemble", ensemble),
        )
    )
    (point,) = campaign.points()
    assert {key: point.model.parameters[key] for key in couplings} == couplings
    assert point.model.n_sites == length
    assert point.sampler.tolerance == tolerance
    assert point.grid.to_spec() == steady
    assert campaign.ensemble.model_dump(include=set(ensemble)) == ensemble
    assert (campaign.blocks - 1) * campaign.block < campaign.trajectories <= campaign.blocks * campaign.block
