"""What can be kept besides expectation values: how campaigns ask for it, what it declares, what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from trajsim import catalog, records
from trajsim import observables as record
from trajsim.errors import InputError, UnsupportedError
from trajsim.grid import SteadyState, TimeGrid
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, collective_jump, local_jump, pair_jump
from trajsim.records.classical import SublatticeDistribution, TimeStepError

RING = catalog.dissipative_xyz(Lattice.chain(4), 2.0, 0.0, 1.0, dephasing=0.1)
TIMES = TimeGrid([0.5, 1.0])


def test_from_spec():
    spec = {
        "collective_covariance": True,
        "sublattice_moment": ["z", "x"],
        "entanglement_entropy": [3, 0],
        "purity": True,
        "jump_records": True,
        "final_states": "single",
    }
    found = record.from_spec(spec, RING)
    assert found == (
        record.CollectiveCovariance(),
        record.SublatticeMoments(("z", "x")),
        records.EntanglementEntropy((0, 3)),
        records.Purity(),
        records.JumpRecords(),
        records.FinalStates("single"),
    )
    assert [o.name for o in found] == list(records.RECORDS)[:6]
    assert record.from_spec(dict.fromkeys(spec, False), RING) == ()
    plain = record.from_spec(dict.fromkeys(spec, True), RING)
    assert plain[1] == record.SublatticeMoments(("x", "y", "z"))
    assert plain[2] == records.EntanglementEntropy()
    assert plain[5] == records.FinalStates("double")
    assert [o.to_spec() for o in plain] == [
        {}, {"components": ("x", "y", "z")}, {}, {}, {}, {"precision": "double"}
    ]  # fmt: skip
    assert found[2].to_spec() == {"sites": [0, 3]}


def test_classical_records_from_spec():
    spec = {"sublattice_distribution": 12, "time_step_error": True}
    found = record.from_spec(spec, RING)
    assert found == (SublatticeDistribution(12), TimeStepError())
    assert [o.name for o in found] == list(records.RECORDS)[6:]
    assert [o.to_spec() for o in found] == [12, {}]
    plain = record.from_spec(dict.fromkeys(spec, True), RING)
    assert plain == (SublatticeDistribution(), TimeStepError())
    assert record.from_spec(dict.fromkeys(spec, False), RING) == ()
    for key, value in (("sublattice_distribution", 1), ("time_step_error", 3)):
        with pytest.raises(InputError, match=f"`record.{key}` must"):
            record.from_spec({key: value}, RING)


def test_layout():
    observables = (record.Energy(), records.EntanglementEntropy(), records.Purity(), records.JumpRecords(),
                   records.FinalStates("single"), record.JumpCounts())  # fmt: skip
    layout = record.layout(RING, observables, TIMES)
    assert [(f.name, f.offset) for f in layout.fields] == [
        ("energy", 0), ("entanglement_entropy", 1), ("jump_counts", 2),
    ]  # fmt: skip
    assert (layout.width, layout.pair_width) == (4, 1)
    assert [f.name for f in layout.pair_fields] == ["purity"]
    assert layout.final_state == (16, "complex64")
    assert layout.jump_channels is not None
    assert sorted(layout.jump_channels) == sorted((f"{f}({i})", f) for f in ("decay", "dephasing") for i in range(4))
    plain = record.layout(RING, (record.Energy(),), SteadyState(0.0, 4.0, 1.0))
    assert (plain.pair_fields, plain.jump_channels, plain.final_state) == ((), None, None)
    alone = record.layout(RING, (records.JumpRecords(),), TIMES)
    assert (alone.width, alone.fields) == (0, ())
    with pytest.raises(InputError, match="but `purity` is there twice"):
        record.layout(RING, (records.Purity(), records.Purity()), TIMES)


def test_labels_of_channels():
    jumps = [
        local_jump("S-", 2, 1.0, "loss"),
        pair_jump(np.diag([0.0, 1.0, 2.0, 3.0]), (0, 2), 1.0, "hop"),
        collective_jump("S-", (1.0, 1.0, 1.0), 1.0, "all"),
    ]
    labels = records.channel_labels(SpinModel.on(3, (), jumps))
    assert sorted(label for label, _ in labels if not label.startswith("all")) == ["hop(0,2)", "loss(2)"]
    (collective,) = [label for label, family in labels if family == "all"]
    assert labels[int(collective.removeprefix("all#"))] == (collective, "all")


def test_entropy_says_that_it_depends_on_the_unravelling():
    field = records.EntanglementEntropy().field(RING)
    assert (field.name, field.dims, field.units) == ("entanglement_entropy", (), "nat")
    assert field.description == (
        "entanglement entropy of sites 0,1 of single trajectories (depends on the unravelling)"
    )
    assert records.EntanglementEntropy((2,)).part(RING) == (2,)
    assert records.EntanglementEntropy().part(SpinModel.on(5)) == (0, 1)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"purity": ["x"]}, "`record.purity` must be true or false, but ['x'] was given"),
        ({"jump_records": 1}, "`record.jump_records` must be true or false, but 1 was given"),
        ({"collective_covariance": "x"}, "`record.collective_covariance` must be true or false, but 'x' was given"),
        ({"final_states": "half"}, "`record.final_states` must be 'double' or 'single', but 'half' was given"),
        ({"final_states": 2}, "`record.final_states` must be true or false, 'double' or 'single', but 2 was given"),
        (
            {"entanglement_entropy": 2},
            "`record.entanglement_entropy` must be true or false or a list of sites, but 2 was given",
        ),
        ({"entanglement_entropy": [0.5]}, "`record.entanglement_entropy` must be a list of sites, but [0.5] was given"),
        ({"entanglement_entropy": []}, "`record.entanglement_entropy` must be a list of sites, but [] was given"),
        (
            {"entanglement_entropy": [1, 1]},
            "`record.entanglement_entropy` must name each site once, but [1, 1] was given",
        ),
        ({"entanglement_entropy": [4]}, "`entanglement_entropy` must name sites 0 to 3, but [4] was given"),
        (
            {"entanglement_entropy": [0, 1, 2, 3]},
            "`entanglement_entropy` must divide the sites into two parts, but 4 of 4 are given",
        ),
    ],
)  # fmt: skip
def test_bad_sections(section, message):
    with pytest.raises(InputError) as error:
        record.from_spec(section, RING)
    assert str(error.value) == message


def test_a_single_site_has_no_halves():
    with pytest.raises(InputError, match="must divide the sites into two parts, but 0 of 1 are given"):
        records.EntanglementEntropy().field(SpinModel.on(1, (), [local_jump("S-", 0, 1.0)]))


def test_samplers_that_do_not_offer_a_record():
    sampler = SimpleNamespace(method="dice", records=frozenset({"purity"}))
    records.check_supported(sampler, [record.Energy(), records.Purity()])
    with pytest.raises(UnsupportedError) as error:
        records.check_supported(sampler, [record.Energy(), records.FinalStates()])
    assert str(error.value) == "`record.final_states` must be asked of a sampler that offers it, but dice does not"
    with pytest.raises(UnsupportedError):
        records.check_supported(SimpleNamespace(method="dice"), [records.JumpRecords()])


def test_states_that_are_too_large():
    large = SpinModel.on(20)
    records.check_size([records.FinalStates()], large, 1, 64)
    with pytest.raises(UnsupportedError) as error:
        records.check_size([records.FinalStates()], large, 1, 65)
    assert str(error.value) == (
        "`record.final_states` must need at most 1 GiB, but the 65 trajectories of a block with 1048576 amplitudes "
        "each need 1.02 GiB: choose a smaller `ensemble.block`"
    )
    records.check_size([records.FinalStates("single")], large, 1, 128)
    with pytest.raises(UnsupportedError, match=r"the 65 sample times of a trajectory .* a smaller number of times"):
        records.check_size([records.Purity()], large, 65, 2)
    with pytest.raises(
        InputError, match=r"`record\.purity` must have pairs of trajectories, but `ensemble.block` is 1"
    ):
        records.check_size([records.Purity()], RING, 1, 1)
