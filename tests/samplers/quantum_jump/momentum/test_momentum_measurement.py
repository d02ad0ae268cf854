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
from trajsim.samplers.quantum_jump.momentum.engine import momentum_size
from trajsim.samplers.quantum_jump.momentum.lowering import Momentum
from trajsim.samplers.quantum_jump.momentum.measurement import measure
from trajsim.samplers.quantum_jump.momentum.program import compile_program


@cache
def model_of(name: str) -> SpinModel:
    return MODELS[name][0]()


@cache
def matrices(name: str, observable: record.Observable) -> np.ndarray:
    return observable_matrices(model_of(name), observable)


GRID = TimeGrid.regular(stop=1.0, step=1.0)
MOMENTS = (record.CollectiveMoments(),)
EVERYTHING = (
    record.Magnetisation(),
    record.SiteMagnetisation(),
    record.Correlation(ALL_PAIRS),
    record.PairCorrelation(("zy", "xx", "zz")),
    *MOMENTS,
    record.CollectiveCovariance(),
    record.CollectiveDistribution(("z",)),
    record.Operator("scattered", (Term.product(("Sz",), (0,), 0.3), Term.product(("Sx", "Sy"), (2, 3), 0.4))),
    record.Operator("of_three", (Term.product(("Sz", "Sx", "Sx"), (0, 1, 3), 0.7),)),
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
        # S^x takes a state of a U(1) sector to two others
        chosen = EVERYTHING if engine.operators.orbits.modulus else tuple(o for o in EVERYTHING if o not in MOMENTS)
        expected = _expected(name, engine, chosen, sector, psi)
        np.testing.assert_allclose(_row(model, engine, chosen, sector, psi), expected, rtol=1e-12, atol=1e-13)


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
        (record.CollectiveCovariance(),),
        (record.CollectiveCovariance(), record.Correlation(("xx",))),
        (record.CollectiveMoments(("y",)),),
        (record.Operator("x", (Term.product(("Sx",), (1,)),)),),
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


@pytest.mark.parametrize("name", ["xyz6", "general4", "waves4"])
def test_sublattice_moments(name: str) -> None:
    model, modulus = model_of(name), MODELS[name][1]
    engine = Momentum.of(model, modulus)
    chosen = (record.SublatticeMoments(("y", "z")), record.Correlation(("zz",)))
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


@pytest.mark.parametrize("size", [1e-150, 1e17])
def test_operators_of_any_size(size: float) -> None:
    """What counts as rounding is not decided by the size of other operators."""
    model = model_of("xyz6")
    engine = Momentum.of(model, 2)
    psi = _state(engine, 1, 5)
    chosen = (
        record.Operator("sized", (Term.product(("Sx", "Sx"), (0, 2), size),)),
        record.Operator("usual", (Term.product(("Sx", "Sx"), (0, 2)),)),
        record.Correlation(("xx",)),
    )
    row = _row(model, engine, chosen, 1, psi)
    assert abs(row[1]) > 1e-3
    assert row[0] / size == pytest.approx(row[1], rel=1e-12)
    assert row[1] == pytest.approx(row[2 + 3], rel=1e-12)


def test_an_operator_that_always_vanishes() -> None:
    model = model_of("xyz6")
    engine = Momentum.of(model, 2)
    chosen = (record.Operator("odd", (Term.product(("Sx",), (0,)),)),)
    np.testing.assert_array_equal(_row(model, engine, chosen, 0, _state(engine, 0, 5)), [0.0])


def test_what_is_refused() -> None:
    model = model_of("xyz5")
    observable = record.CollectiveDistribution(("x",))
    with pytest.raises(UnsupportedError, match=r"`record.collective_distribution` must be \['z'\] with"):
        compile_program(model, Momentum.of(model, 2), [observable], record.layout(model, [observable], GRID))
    ring = model_of("xxz6")
    with pytest.raises(ValueError, match="the engine must be one of the parity"):
        compile_program(ring, Momentum.of(ring, 0), MOMENTS, record.layout(ring, MOMENTS, GRID))
