from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from momentum_systems import MODELS, basis, reals
from systems import ALL_PAIRS, observable_matrices, random_state

from trajsim import observables as record
from trajsim.errors import UnsupportedError
from trajsim.grid import TimeGrid
from trajsim.model import SpinModel, Term
from trajsim.samplers.momentum import momentum_size
from trajsim.samplers.momentum_lowering import Momentum
from trajsim.samplers.momentum_measurement import measure
from trajsim.samplers.momentum_program import compile_program


@cache
def model_of(name: str) -> SpinModel:
    return MODELS[name][0]()


@cache
def matrices(name: str, observable: record.Observable) -> np.ndarray:
    return observable_matrices(model_of(name), observable)


GRID = TimeGrid.regular(stop=1.0, step=1.0)
EVERYTHING = (
    record.Magnetisation(),
    record.SiteMagnetisation(),
    record.Correlation(ALL_PAIRS),
    record.PairCorrelation(("zy", "xx", "zz")),
    record.CollectiveMoments(("z",)),
    record.CollectiveDistribution(("z",)),
    record.Energy(),
    record.JumpCounts(),
)


def _row(
    model: SpinModel, engine: Momentum, chosen: tuple[record.Observable, ...], sector: int, psi: np.ndarray
) -> np.ndarray:
    layout = record.layout(model, chosen, GRID)
    program = compile_program(model, engine, chosen, layout)
    x = reals(0.8 * psi, 4, engine.operators.scratch.dtype)
    row = np.full(layout.width, np.nan)
    counts = np.arange(1, 1 + len(layout.channels))
    measure(program, engine.operators, sector, x, 0.64, counts, np.empty_like(x), row)
    return row


def _expected(
    name: str, engine: Momentum, chosen: tuple[record.Observable, ...], sector: int, psi: np.ndarray
) -> np.ndarray:
    state = basis(engine, sector) @ psi
    rows = []
    for observable in chosen:
        if isinstance(observable, record.JumpCounts):
            rows.append(1.0 + np.arange(len(record.families(model_of(name)))))
        else:
            rows.append(np.einsum("i,kij,j->k", state.conj(), matrices(name, observable), state, optimize=True).real)
    return np.concatenate(rows)


def _state(engine: Momentum, sector: int, seed: int) -> np.ndarray:
    psi = random_state(momentum_size(engine.operators, sector), np.random.default_rng(seed))
    psi = psi * (np.abs(basis(engine, sector)).max(axis=0) > 0)
    norm = np.linalg.norm(psi)
    return psi / norm if norm else psi


@pytest.mark.parametrize("name", [name for name in MODELS if name != "tilted8"])
@pytest.mark.parametrize("whole", [False, True], ids=["its_charge", "no_charge"])
def test_every_observable_in_every_sector(name: str, whole: bool) -> None:
    model, modulus = model_of(name), MODELS[name][1]
    engine = Momentum.of(model, 1 if whole else modulus)
    for sector in range((len(engine.operators.orbits.first) - 1) * engine.group.order):
        psi = _state(engine, sector, sector)
        if not psi.any():
            continue
        expected = _expected(name, engine, EVERYTHING, sector, psi)
        np.testing.assert_allclose(_row(model, engine, EVERYTHING, sector, psi), expected, rtol=1e-12, atol=2e-14)


@pytest.mark.parametrize(
    "chosen",
    [
        (record.Correlation(("xx",)),),
        (record.Correlation(("yy", "xx")), record.PairCorrelation(("yy",))),
        (record.Correlation(("xy",)),),
        (record.Correlation(("zz",)), record.Energy()),
        (record.Magnetisation(("y",)),),
        (record.Magnetisation(("x", "z")), record.Correlation(("xz",))),
        (record.SiteMagnetisation(("z",)),),
        (record.JumpCounts(),),
    ],
    ids=lambda chosen: "+".join(o.name + "".join(getattr(o, "components", "")) for o in chosen),
)
@pytest.mark.parametrize("name", ["xyz5", "cylinder6", "general4"])
def test_observables_by_themselves(chosen: tuple[record.Observable, ...], name: str) -> None:
    """Which momenta and which of S^-, S^+, S^z are looked at depends on what is asked."""
    model, modulus = model_of(name), MODELS[name][1]
    engine = Momentum.of(model, modulus)
    for sector in (0, 1):
        psi = _state(engine, sector, 3)
        expected = _expected(name, engine, chosen, sector, psi)
        np.testing.assert_allclose(_row(model, engine, chosen, sector, psi), expected, rtol=1e-12, atol=2e-14)


def test_single_precision() -> None:
    name = "xyz6"
    model = model_of(name)
    engine = Momentum.of(model, 2, np.float32)
    psi = _state(engine, 1, 4)
    expected = _expected(name, engine, EVERYTHING, 1, psi)
    np.testing.assert_allclose(_row(model, engine, EVERYTHING, 1, psi), expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("observable", "message"),
    [
        (record.CollectiveMoments(("x", "z")), r"`record.collective_moment` must be \['z'\] with"),
        (record.CollectiveDistribution(("x",)), r"`record.collective_distribution` must be \['z'\] with"),
        (
            record.Operator("mine", (Term((0,), None, 1.0, ("Sz",)),)),
            r"`record` must hold only magnetisation, .* mine$",
        ),
    ],
)
def test_observables_that_are_refused(observable: record.Observable, message: str) -> None:
    model = model_of("xyz5")
    engine = Momentum.of(model, 2)
    with pytest.raises(UnsupportedError, match=message):
        compile_program(model, engine, [observable], record.layout(model, [observable], GRID))
