"""Each sampler says itself which models it applies to, before anything runs."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import pytest

import trajsim
from trajsim import catalog, grid, initial, observables
from trajsim.campaign import point
from trajsim.campaign.spec import Campaign
from trajsim.errors import CampaignError, UnsupportedError

TEXT = """
[model]
name = "gain_loss_chain"
cells = 50
S = 1600
g = 1.0
h = 0.5
gain = 0.1
loss = 0.2
[sampler]
method = "METHOD"
[initial]
state = "product"
axis = "AXIS"
[times]
stop = 1.0
step = 0.5
[ensemble]
trajectories = 4
seed = 1
[record]
magnetisation = ["z"]
correlation = ["xx"]
collective_moment = ["x"]
"""


@dataclass(frozen=True)
class UpOnly:
    """Settings of a sampler without a Hilbert space, for spins that point up."""

    method: ClassVar[str] = "up_only"

    def to_spec(self) -> dict[str, Any]:
        return {"method": self.method}

    def check(self, model: trajsim.SpinModel, start: Any = None) -> None:
        if None in model.spins:
            raise UnsupportedError("`model` must consist of spins, but it does not")
        if start is not None and start.axis != "+z":
            raise UnsupportedError("`initial.axis` must be '+z' for this method, but it is not")

    def compile(self, *_: Any) -> Any:
        raise AssertionError("a check compiles nothing")


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("up_only")
    module.UpOnly = UpOnly  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "up_only", module)
    monkeypatch.setitem(point.SAMPLERS, "up_only", ("up_only", "UpOnly"))


def read(method: str, axis: str) -> Campaign:
    return Campaign.parse(TEXT.replace("METHOD", method).replace("AXIS", axis), "file.toml")


def test_quantum_jumps_refuse_a_large_model_at_once_and_once() -> None:
    start = time.process_time()
    with pytest.raises(CampaignError) as caught:
        read("quantum_jump", "+z")
    (line,) = str(caught.value).splitlines()
    assert line == (
        "file.toml: `model` must have at most 2^28 basis states for quantum jumps, but it has 2^1164: one trajectory "
        "would need 2^1142 GiB"
    )
    assert time.process_time() - start < 2.0  # 0.1 s where it was written


def test_a_sampler_without_a_hilbert_space_takes_the_same_model() -> None:
    (found,) = read("up_only", "+z").points()
    assert found.model == catalog.gain_loss_chain(50, 1600, 1.0, 0.5, 0.1, 0.2)
    assert found.layout.width == 1 + 100 + 4
    assert found.layout.final_state is None


def test_an_initial_state_that_the_sampler_refuses() -> None:
    with pytest.raises(CampaignError, match=r"file.toml: `initial.axis` must be '\+z' for this method, but it is not"):
        read("up_only", "x")


def test_sample_checks_before_anything_is_compiled() -> None:
    model = catalog.gain_loss_chain(50, 1600, 1.0, 0.5, 0.1, 0.2)
    times, recorded = grid.TimeGrid([1.0]), [observables.Magnetisation(("z",))]
    with pytest.raises(UnsupportedError, match="`model` must have at most 2"):
        trajsim.sample(model, trajsim.QuantumJump(), initial.Product("+z"), times, recorded, trajectories=1)
    with pytest.raises(UnsupportedError, match=r"`initial\.axis` must be"):
        trajsim.sample(model, UpOnly(), initial.Product("x"), times, recorded, trajectories=1)


def test_quantum_jumps_need_local_matrices() -> None:
    one = trajsim.SpinModel.on(1, [trajsim.model.Term.product(["Sx"], [0])], spin=600)
    with pytest.raises(UnsupportedError, match=r"local operators on at most 1024 states .* on sites \(0,\) have more"):
        trajsim.QuantumJump().check(one)
