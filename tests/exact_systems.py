"""The systems that ensembles are compared with: catalog models and models of a user's own, and their exact answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from systems import Lindblad, Matrix, expectations

from trajsim import catalog
from trajsim import observables as record
from trajsim.grid import Grid, SteadyState, TimeGrid
from trajsim.initial import Configuration, Haar, InitialState, Product, RandomProduct
from trajsim.lattice import Lattice
from trajsim.model import Site, SpinModel, Term, collective_jump, local_jump, pair_jump, spin
from trajsim.terms import exchange
from trajsim.terms import field as uniform_field

EVERYTHING = (
    record.Magnetisation(),
    record.SiteMagnetisation(),
    record.Correlation(("xx", "yy", "zz", "xy")),
    record.PairCorrelation(("xx", "yz")),
    record.CollectiveMoments(),
    record.CollectiveDistribution(("x", "z")),
    record.Energy(),
    record.JumpCounts(),
)
WITHOUT_LATTICE = tuple(o for o in EVERYTHING if not isinstance(o, record.Correlation))


ALL_DOWN = Product("-z")
WINDOW = SteadyState(burn_in=10.0, duration=4.0, sample_every=0.5)


@dataclass(frozen=True)
class System:
    build: Callable[[], SpinModel]
    initial: InitialState = ALL_DOWN
    observables: tuple[record.Observable, ...] = EVERYTHING
    times: tuple[float, ...] = (0.0, 0.4, 1.5, 4.0)
    trajectories: int = 1000
    window: SteadyState | None = WINDOW
    windows: int = 500

    def grid(self, mode: str) -> Grid:
        if mode == "dynamics":
            return TimeGrid(self.times)
        assert self.window is not None
        return self.window


def with_moriya() -> SpinModel:
    """Exchange with Dzyaloshinskii-Moriya vectors, fields by site, complex pair and collective jumps, an edge list."""
    rng = np.random.default_rng(5)
    lattice = Lattice.from_edges(4, [(0, 1), (2, 1), (2, 3), (0, 3), (0, 2)])
    pair = 0.4 * (rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))
    return SpinModel.on(
        lattice,
        exchange(lattice, rng.normal(size=(5, 3, 3)))
        + uniform_field(4, rng.normal(size=(4, 3)))
        + (Term.product(("S+", "Sz", "S-"), (3, 0, 1), 0.5j), Term.product(("S-", "Sz", "S+"), (3, 0, 1), -0.5j)),
        [
            pair_jump(pair, (3, 1), 0.5, "pair"),
            collective_jump("S-", [1.0, 1j, -1.0, 0.5], 0.3, "collective"),
            *(local_jump("S-", i, 0.2 + 0.1 * i, "decay") for i in range(4)),
            local_jump(0.3 * rng.normal(size=(2, 2)), 2, 1.0, "decay"),
        ],
    )


def mixed_spins() -> SpinModel:
    rng = np.random.default_rng(8)
    pair = 0.2 * (rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6)))
    return SpinModel(
        (spin(0.5), spin(1), spin(1.5)),
        (
            Term.product(("S+", "S-"), (0, 1), 0.5 + 0.2j),
            Term.product(("S-", "S+"), (0, 1), 0.5 - 0.2j),
            Term.product(("Sx", "Sx"), (2, 1), 0.7),
            Term.product(("Sz Sz",), (2,), 0.4),
            Term.product(("Sx",), (0,), 0.8),
        ),
        (
            pair_jump(pair, (1, 0), 1.0, "pair"),
            local_jump("S-", 2, 0.4, "decay"),
            collective_jump("Sz", [1.0, 0.5, 0.25], 0.1, "dephasing"),
        ),
    )


def kerr() -> SpinModel:
    """Driven Kerr resonator of 6 levels with a qubit: no spin among the sites that are looked at."""
    a = np.diag(np.sqrt(np.arange(1.0, 6.0)), 1)
    n = a.T @ a
    mode = Site(6, {"a": a, "a+": a.T, "n": n, "x": a + a.T})
    return SpinModel(
        (mode, spin(0.5)),
        (
            Term((0,), -1.0 * n + 0.6 * (n @ n - n) + 0.5 * (a + a.T)),
            Term.product(("a+", "S-"), (0, 1), 0.4j),
            Term.product(("a", "S+"), (0, 1), -0.4j),
        ),
        (
            local_jump("a", 0, 1.0, "photon"),
            local_jump("S-", 1, 0.3, "qubit"),
            local_jump("a a", 0, 0.2, "two photons"),
        ),
    )


OF_THE_MODE = (
    record.Operator("photons", (Term.product(("n",), (0,)),)),
    record.Operator("x_of_the_mode", (Term.product(("x",), (0,)),)),
    record.Operator("flux", (Term.product(("a+", "S-"), (0, 1), 1j), Term.product(("a", "S+"), (0, 1), -1j))),
    record.Energy(),
    record.JumpCounts(),
)

SYSTEMS = {
    "xyz ring": System(lambda: catalog.dissipative_xyz(Lattice.chain(4), 2.0, 0.0, 1.0)),
    "xyz pair": System(
        lambda: catalog.dissipative_xyz(Lattice.chain(2, periodic=False), 3.0, -1.0, 1.0), Product("+x")
    ),
    "xyz dephasing and collective decay": System(
        lambda: catalog.dissipative_xyz(
            Lattice.chain(5), 0.6, 1.7, 1.0, gamma=0.7, collective_decay=0.5, dephasing=0.4
        ),
        Configuration((0.5, -0.5, 0.5, -0.5, -0.5)),
    ),
    "xyz complete graph": System(
        lambda: catalog.dissipative_xyz(Lattice.complete(5), 0.6, 3.0, 1.0, gamma=1 / 3, collective_decay=2 / 3)
    ),
    "xyz square": System(
        lambda: catalog.dissipative_xyz(Lattice.square(2, 3, periodic=False), 2.5, -1.0, 1.0),
        Product([1.0, 0.5, -0.3]),
    ),
    "gain and loss, dimer of spins 1": System(
        lambda: catalog.gain_loss_chain(1, 1.0, 1.0, 0.0, 0.7, 1.0, periodic=False), Product("+x"), windows=1500
    ),
    "gain and loss, ring of spins 1/2": System(lambda: catalog.gain_loss_chain(2, 0.5, 1.0, 0.5, 0.6, 0.8)),
    "gain and loss, two cells of spins 1": System(
        lambda: catalog.gain_loss_chain(2, 1.0, 1.0, 0.5, 0.5, 0.6, periodic=False),
        RandomProduct(),
        (record.SiteMagnetisation(), record.Correlation(("xx", "zz")), record.Energy(), record.JumpCounts()),
        windows=800,
    ),
    "driven xy": System(lambda: catalog.driven_xy(Lattice.chain(4), 0.5, 0.8, 1.5, gamma=1.0)),
    "driven xy, complete graph": System(
        lambda: catalog.driven_xy(Lattice.complete(4), -0.5, 1.6, 1.0), Haar(), windows=800
    ),
    "driven ising": System(
        lambda: catalog.driven_ising(Lattice.chain(4, periodic=False), 1.0, 1.8, 3.0), Product("+y"), windows=800
    ),
    "heisenberg": System(lambda: catalog.dissipative_heisenberg(Lattice.chain(4), 0.8)),
    "heisenberg, dark manifold": System(
        lambda: catalog.dissipative_heisenberg(Lattice.chain(4), 0.0),
        Configuration((0.5, -0.5, -0.5, 0.5)),
        window=None,
    ),
    "Moriya": System(with_moriya, Product("+x")),
    "mixed spins": System(mixed_spins, Product("+z"), WITHOUT_LATTICE),
    "Kerr and a qubit": System(kerr, Configuration((2, 0.5)), OF_THE_MODE, windows=1500),
    "xyz ring of 8": System(
        lambda: catalog.dissipative_xyz(Lattice.chain(8), 2.0, 0.0, 1.0),
        observables=(
            record.Magnetisation(),
            record.Correlation(("xx", "yy", "zz")),
            record.Energy(),
            record.JumpCounts(),
        ),
        times=(0.5, 2.0),
        trajectories=600,
        window=None,
    ),
}
CASES = [
    (name, mode) for name, s in SYSTEMS.items() for mode in ("dynamics", "steady") if mode == "dynamics" or s.window
]


# exact ----------------------------------------------------------------------------------------------------


@cache
def model_of(name: str) -> SpinModel:
    return SYSTEMS[name].build()


def channels_of(model: SpinModel) -> tuple[str, ...]:
    return tuple(dict.fromkeys(jump.label for jump in model.lowered.jumps))


@cache
def lindblad(name: str) -> Lindblad:
    return Lindblad(model_of(name), channels_of(model_of(name)))


def initial_density(name: str) -> Matrix:
    model, initial = model_of(name), SYSTEMS[name].initial
    if initial.random:  # both ensembles are maximally mixed
        return np.eye(model.hilbert_dimension, dtype=complex) / model.hilbert_dimension
    psi = initial.state(model, lambda _: 0.5)
    return np.outer(psi, psi.conj())


@cache
def exact_rows(name: str, mode: str) -> np.ndarray:
    """(T, width) on a time grid, (1, width) for the average over the window, the transient included."""
    system, model = SYSTEMS[name], model_of(name)
    grid = system.grid(mode)
    times = grid.sample_times
    if mode == "steady":
        times = np.concatenate([[grid.recording_starts], times])
    rho, counts = lindblad(name).propagate(initial_density(name), times)
    if mode == "dynamics":
        return expectations(model, system.observables, rho, counts)
    counts = np.repeat((counts[-1] - counts[0])[None], len(times), axis=0)
    return expectations(model, system.observables, rho, counts)[1:].mean(axis=0, keepdims=True)
