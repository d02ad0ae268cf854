"""What bounds a number of a trajectory: the largest eigenvalue of its operator, and of jumps their largest rate."""

from __future__ import annotations

import numpy as np
import pytest

from trajsim import Lattice, SpinModel, catalog, grid, initial
from trajsim import observables as record
from trajsim.convergence.reach import reach
from trajsim.model.embedding import embed
from trajsim.operators import spin
from trajsim.records import SublatticeDistribution
from trajsim.terms import Term

DOWN, TIMES = initial.Product("-z"), grid.TimeGrid((0.0, 0.5, 2.0))
CHAIN = catalog.gain_loss_chain(2, 1.0, 1.0, 0.4, 1.0, 0.7, periodic=False)  # four spins 1


def eigenvalue(model: SpinModel, terms: object) -> float:
    dense = embed(model.operator(terms), model.dimensions).toarray()  # type: ignore[arg-type]
    return float(np.abs(np.linalg.eigvalsh(dense)).max())


def test_bounds_hold_and_those_of_spins_are_reached() -> None:
    model, n = CHAIN, CHAIN.n_sites
    one = record.Operator("one", (Term.product(("Sx", "Sz"), (0, 1)), Term.product(("Sz",), (2,), 0.3)))
    seen = [
        record.Magnetisation(), record.SiteMagnetisation(), record.SublatticeMoments(), record.PairCorrelation(),
        record.CollectiveMoments(), record.CollectiveCovariance(), record.CollectiveDistribution(), record.Energy(),
        one,
    ]  # fmt: skip
    found = reach(model, DOWN, TIMES, seen)
    for observable in seen:
        assert found[observable.name].shape == (3, *observable.field(model).shape)
        assert not found[observable.name][0].any()  # all trajectories start alike
    total = eigenvalue(model, [Term.product(("Sz",), (i,)) for i in range(n)])
    assert found["magnetisation"][1, 2] == pytest.approx(total / n)
    assert found["collective_moment"][1, 2].tolist() == pytest.approx([total**k for k in (1, 2, 3, 4)])
    assert found["collective_covariance"][1, -1] == pytest.approx(total**2)
    assert found["sublattice_moment"][1, 0, 0].tolist() == [1.0, 1.0]
    assert found["pair_correlation"][1].max() == eigenvalue(model, [Term.product(("Sx", "Sx"), (0, 1))])
    assert found["one"][2] >= eigenvalue(model, one.terms)
    assert found["energy"][2] >= eigenvalue(model, model.hamiltonian)


def test_a_random_start_is_not_alike() -> None:
    found = reach(CHAIN, initial.Haar(), TIMES, [record.Magnetisation()])
    assert found["magnetisation"][0].tolist() == [1.0, 1.0, 1.0]


def test_what_is_not_known_is_infinite() -> None:
    assert np.isinf(reach(CHAIN, DOWN, TIMES, [SublatticeDistribution()])["sublattice_distribution"][1]).all()


def test_jumps_after_the_first_are_bounded_by_the_largest_rate() -> None:
    """Decay at rate 1.5 of each of three spins-1/2: no more than 4.5 a unit of time."""
    model = catalog.dissipative_xyz(Lattice.complete(3), 0.6, 0.9, 1.0, gamma=1.5)
    counts = [record.JumpCounts()]
    assert reach(model, DOWN, TIMES, counts)["jump_counts"][1:, 0].tolist() == pytest.approx([3.25, 10.0])
    window = grid.SteadyState(5.0, 2.0, 0.5)
    assert reach(model, DOWN, window, counts)["jump_counts"].tolist() == [pytest.approx([10.0])]


def test_of_all_pairs_each_counts() -> None:
    """Beyond 4096 pairs the sum over pairs is one operator."""
    model = catalog.dissipative_xyz(Lattice.complete(120), 0.6, 0.9, 1.0)
    small = catalog.dissipative_xyz(Lattice.complete(60), 0.6, 0.9, 1.0)
    large, less = (float(reach(m, DOWN, TIMES, [record.Energy()])["energy"][1]) for m in (model, small))
    assert large / less == pytest.approx(2.0, rel=1e-9)  # couplings per site


def test_spins_without_matrices() -> None:
    kind = spin(600.0, "spin")
    model = SpinModel.on(2, [Term.product(("Sz", "Sz"), (0, 1))], spin=kind)
    assert np.isinf(reach(model, DOWN, TIMES, [record.Energy()])["energy"][1])
