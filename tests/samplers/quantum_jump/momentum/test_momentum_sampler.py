"""QuantumJump(unravelling="momentum") as a whole: exact means, the kernel between jumps, bits, records, refusals.

Random checks: fixed seeds, |mean - exact| in standard errors against Student's t, family-wise false-alarm rate 1e-4.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from momentum_systems import MODELS, translation
from scipy import stats
from scipy.sparse.linalg import expm_multiply
from systems import Lindblad, effective, expectations

import trajsim
from trajsim import QuantumJump, analysis, catalog, initial, records
from trajsim import observables as record
from trajsim.errors import InputError, TrajsimWarning, UnsupportedError
from trajsim.grid import SteadyState, TimeGrid
from trajsim.lattice import Lattice
from trajsim.lattice.translation_group import TranslationGroup
from trajsim.model import SpinModel, Term, local_jump
from trajsim.samplers.quantum_jump.momentum.engine import CAVEAT
from trajsim.terms import exchange, field

pytestmark = pytest.mark.filterwarnings("ignore:momentum unravelling:trajsim.errors.TrajsimWarning")

ALARM = 1e-4
NUMBERS = 4000  # more than are compared here
DOWN, UP, TILTED = initial.Product("-z"), initial.Product("+z"), initial.Product((0.3, -0.4, 0.5))
TIMES = TimeGrid([0.4, 1.3, 3.0])
WINDOW = SteadyState(burn_in=8.0, duration=12.0, sample_every=1.0)
OBSERVABLES = (
    record.Magnetisation(),
    record.SiteMagnetisation(("z",)),
    record.Correlation(("xx", "yy", "zz", "xy")),
    record.CollectiveMoments(),
    record.CollectiveCovariance(),
    record.CollectiveDistribution(("z",)),
    record.Operator("flux", (Term.product(("Sx", "Sy"), (0, 1)), Term.product(("Sy", "Sx"), (0, 1), -1.0))),
    record.Energy(),
    record.JumpCounts(),
)


TORUS = Lattice.tilted("square", (2, 1), (-1, 2))  # of 5 sites


def field_and_dephasing() -> SpinModel:
    """Ising torus in a tilted field, with decay and dephasing: nothing is conserved."""
    terms = exchange(TORUS, (0.0, 0.0, -1.3)) + field(TORUS, (1.6, 0.3, 0.4))
    jumps = [local_jump("S-", i, 1.0, "decay") for i in range(5)]
    jumps += [local_jump("Sz", i, 0.9, "dephasing") for i in range(5)]
    return SpinModel.on(TORUS, terms, jumps)


def model_of(name: str) -> SpinModel:
    if name == "xyz torus":
        return catalog.dissipative_xyz(TORUS, 2.0, 0.3, 1.0, dephasing=0.2)
    return MODELS[name][0]() if name in MODELS else field_and_dephasing()


def compiled(model, start=DOWN, grid=TIMES, observables=OBSERVABLES, **settings):
    return QuantumJump(unravelling="momentum", **settings).compile(model, start, grid, observables)


def scores(block, exact) -> np.ndarray:
    """|mean - exact| in standard errors, where the sum over trajectories is near enough to normal."""
    count = block.count
    error = np.sqrt(block.m2 / count / (count - 1))
    fixed = error < 1e-7  # by symmetry, in every trajectory
    np.testing.assert_allclose(block.mean[fixed], exact[fixed], atol=1e-4)
    deviation = block.raw - block.mean
    with np.errstate(invalid="ignore", divide="ignore"):
        contributors = (deviation**2).sum(axis=0) ** 2 / (deviation**4).sum(axis=0)
    normal = ~fixed & (contributors > 50)
    z = np.abs(block.mean - exact)[normal] / error[normal]
    assert len(z) > 20
    assert z.max() < stats.t.isf(ALARM / NUMBERS / 2, count - 1)
    return z


# means ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "start", "trajectories", "settings"),
    [
        ("xyz6", DOWN, 2000, {}),
        ("xyz6", TILTED, 1000, {"precision": "single", "tolerance": 1e-5}),
        ("xxz6", UP, 1000, {}),
        ("xyz torus", UP, 1000, {"memory": "low", "tolerance": 1e-5}),
        ("field and dephasing", DOWN, 1500, {}),
        ("general4", TILTED, 1500, {"precision": "single", "memory": "low", "tolerance": 1e-5}),
        ("waves4", UP, 1500, {}),
    ],
)
def test_means_are_those_of_the_master_equation(name, start, trajectories, settings):
    model = model_of(name)
    sampler = compiled(model, start, **settings)
    block = sampler.run_block(20131220, 0, trajectories, keep_raw=True)
    assert not block.status.any()
    psi = start.state(model, lambda _: 0.0)
    rho, counts = Lindblad(model, sampler.layout.channels).propagate(np.outer(psi, psi.conj()), TIMES.times)
    scores(block, expectations(model, OBSERVABLES, rho, counts))


@pytest.mark.parametrize("name", ["xyz5", "xyz torus", "field and dephasing"])
def test_the_steady_state(name):
    model = model_of(name)
    observables = [o for o in OBSERVABLES if not isinstance(o, record.JumpCounts)]
    block = compiled(model, grid=WINDOW, observables=observables).run_block(3, 0, 400, keep_raw=True)
    rho = Lindblad(model, record.families(model)).steady_state()
    scores(block, expectations(model, observables, rho[None], np.empty((1, 0))))
    assert block.batch_count[0] == 400 * 12


def test_jump_counts_are_those_of_local_jumps():
    """By family, in a steady state: means by z, variances of these counts differ."""
    model = model_of("xyz6")
    blocks = [
        QuantumJump(unravelling=kind).compile(model, DOWN, WINDOW, [record.JumpCounts()]).run_block(8, 0, 400)
        for kind in ("local", "momentum")
    ]
    counts = [block.jumps for block in blocks]
    error = np.sqrt(sum(c.var(axis=0, ddof=1) / len(c) for c in counts))
    z = np.abs(counts[0].mean(axis=0) - counts[1].mean(axis=0)) / error
    assert z.max() < stats.norm.isf(ALARM / NUMBERS / 2)
    assert counts[0].mean() > 1.0


@pytest.mark.parametrize("settings", [{}, {"memory": "low"}], ids=["fast", "low"])
def test_the_first_jump_comes_when_the_first_local_one_does(settings):
    """Until then both are the same evolution, with the same threshold."""
    model = model_of("xyz6")
    first = []
    for kind in ("local", "momentum"):
        sampler = QuantumJump(unravelling=kind, **settings)
        block = sampler.compile(model, DOWN, TIMES, [records.JumpRecords()]).run_block(8, 0, 60)
        offset = block.jump_offset
        first.append([block.jump_time[k] for k, end in zip(offset[:-1], offset[1:], strict=True) if end > k])
    assert len(first[0]) > 50
    np.testing.assert_allclose(first[0], first[1], atol=2e-5)


# between jumps --------------------------------------------------------------------------------------------


@cache
def halfway(name: str) -> tuple[SpinModel, np.ndarray, np.ndarray]:
    """A model, a state in the midst of an evolution, and what becomes of it after 1.5 units of time."""
    model = model_of(name)
    generator = -1j * effective(model)
    psi = expm_multiply(0.7 * generator, UP.state(model, lambda _: 0.0))
    psi = psi / np.linalg.norm(psi)
    return model, psi, expm_multiply(1.5 * generator, psi)


@pytest.mark.parametrize("memory", ["fast", "low"])
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", ["xyz6", "tilted8", "field and dephasing", "general4"])
def test_no_jump_evolution(name, precision, memory):
    model, psi, exact = halfway(name)
    for tolerance in (1e-3, 1e-6) if precision == "single" else (1e-3, 1e-6, 1e-10):
        found = compiled(model, UP, precision=precision, memory=memory, tolerance=tolerance).no_jump(psi, 1.5)
        error = np.linalg.norm(found - exact)  # of a norm of 1 in the beginning
        assert error < 1.5 * tolerance + (2e-6 if precision == "single" else 0.0)


def test_no_jump_evolution_refuses_states_of_other_momenta():
    model, psi, _ = halfway("xyz6")
    sampler = compiled(model, UP)
    group = TranslationGroup.of(model.lattice)
    other = sum(
        chi.conj() * translation(image)[:, 1]
        for chi, image in zip(group.characters[1], group.permutations, strict=True)
    )
    for state in (other / np.linalg.norm(other), 0.5 * psi):
        with pytest.raises(InputError, match="`state` must be normalised and lie in the sector of the initial state"):
            sampler.no_jump(state, 1.0)


# a trajectory is a pure function of (model, settings, grid, seed, index) ----------------------------------


@pytest.mark.parametrize("settings", [{}, {"precision": "single", "memory": "low"}], ids=["double", "single, low"])
@pytest.mark.parametrize("grid", [TIMES, SteadyState(1.0, 2.0, 0.5)], ids=["times", "steady state"])
def test_blocks_of_any_size_are_the_same_bits(grid, settings, monkeypatch):
    model = model_of("tilted8")
    sampler = compiled(model, grid=grid, **settings)
    whole = sampler.run_block(5, 0, 24, keep_raw=True)
    halves = [sampler.run_block(5, first, 12, keep_raw=True) for first in (12, 0)][::-1]
    for name in ("raw", "jumps", "status"):
        np.testing.assert_array_equal(getattr(whole, name), np.concatenate([getattr(h, name) for h in halves]))
    assert len({row.tobytes() for row in whole.raw[:, -1:]}) == 24
    monkeypatch.setattr("trajsim.samplers.quantum_jump.sampler._WORK_PER_CALL", 1)
    again = compiled(model, grid=grid, **settings)
    for index in (23, 0, 7):
        np.testing.assert_array_equal(again.run_block(5, index, 1, keep_raw=True).raw[0], whole.raw[index])


def test_interrupted_blocks_are_dropped(monkeypatch):
    monkeypatch.setattr("trajsim.samplers.quantum_jump.sampler._WORK_PER_CALL", 1)
    calls = iter(range(1000))
    assert compiled(model_of("xyz5")).run_block(1, 0, 50, interrupted=lambda: next(calls) > 20) is None


# records --------------------------------------------------------------------------------------------------


def momentum_of(model: SpinModel, psi: np.ndarray) -> int:
    """K of T_g psi = chi_K(g) psi."""
    group = TranslationGroup.of(model.lattice)
    values = np.array([np.vdot(psi, translation(image) @ psi) for image in group.permutations])
    distance = np.abs(group.characters - values).max(axis=1)
    assert distance.min() < 1e-10
    return int(np.argmin(distance))


@pytest.mark.parametrize("name", ["xyz6", "tilted8", "waves4", "general4"])
def test_records_and_what_they_say_of_one_another(name):
    model = model_of(name)
    observables = [
        record.SiteMagnetisation(("z",)),
        record.PairCorrelation(("xx",)),
        records.EntanglementEntropy(),
        records.JumpRecords(),
        records.FinalStates(),
        record.JumpCounts(),
    ]
    sampler = QuantumJump(unravelling="momentum")
    data = trajsim.sample(model, sampler, UP, TIMES, observables, trajectories=12, block=6, seed=4, raw=True)
    data = data.isel(point=0)
    group = TranslationGroup.of(model.lattice)
    half = 2 ** (model.n_sites // 2)
    up = np.arange(model.hilbert_dimension)[:, None] >> np.arange(model.n_sites) & 1
    labels = data["jump_label"].values
    assert len(set(labels)) == len(labels)
    for trajectory in range(12):
        place = {"block": trajectory // 6, "trajectory": trajectory % 6}
        psi = data["final_state"].isel(place).values
        assert np.vdot(psi, psi).real == pytest.approx(1.0, rel=1e-12)
        here = data.isel(time=-1, **place)
        np.testing.assert_allclose(np.abs(psi) ** 2 @ (up - 0.5), here["site_magnetisation_raw"][0], atol=1e-12)
        singular = np.linalg.svd(psi.reshape(-1, half), compute_uv=False) ** 2
        entropy = -(singular * np.log(np.maximum(singular, 1e-300))).sum()
        assert entropy == pytest.approx(float(here["entanglement_entropy_raw"]), abs=1e-10)
        jumps = analysis.jump_record(data, trajectory)
        # what the jumps add up to is the momentum of the state
        total = 0
        for number in jumps["channel"].values if "channel" in jumps else ():
            total = group.momentum_sum[total, int(str(labels[number]).split("q=")[1].split(")")[0])]
        assert momentum_of(model, psi) == total
        for family in record.families(model):
            counted = here["jump_counts_raw"].sel(channel=family)
            assert int((jumps["family"] == family).sum()) == int(counted)


def test_purity_does_not_depend_on_the_unravelling():
    model = model_of("field and dephasing")
    data = trajsim.sample(
        model,
        QuantumJump(unravelling="momentum"),
        DOWN,
        TIMES,
        [records.Purity()],
        trajectories=2000,
        block=100,
        seed=2,
    ).isel(point=0)
    psi = DOWN.state(model, lambda _: 0.0)
    rho, _ = Lindblad(model, record.families(model)).propagate(np.outer(psi, psi.conj()), TIMES.times)
    exact = np.einsum("tij,tji->t", rho, rho).real
    estimate = analysis.ensemble_mean(data.expand_dims("point"), "purity").isel(point=0)
    z = np.abs(estimate["value"] - exact) / estimate["standard_error"]
    assert float(z.max()) < stats.t.isf(ALARM / NUMBERS / 2, 999)


def test_labels_of_channels():
    layout = compiled(model_of("waves4"), observables=[records.JumpRecords()]).layout
    assert layout.jump_channels == (
        ("wave(q=3)", "wave"),
        ("staggered(q=2)", "staggered"),
        ("half(q=1)", "half"),
        ("half(q=3)", "half"),
    )
    ladder = compiled(model_of("ladder6"), observables=[records.JumpRecords()]).layout.jump_channels
    assert ladder[0] == ("decay(q=0)", "decay")
    assert ladder[3] == ("decay(q=0)#2", "decay")  # of the other leg
    assert len(set(ladder)) == len(ladder) == 6


# memory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", ["fast", "low"])
def test_memory(memory):
    model = catalog.dissipative_xyz(Lattice.chain(14), 2.0, 0.3, 1.0)
    observables = [record.Magnetisation(("z",)), record.Correlation(("xx",))]
    local, momentum = (
        QuantumJump(unravelling=kind, memory=memory).compile(model, DOWN, TIMES, observables)
        for kind in ("local", "momentum")
    )
    space = momentum._memory()
    assert momentum.vector_bytes == space.vectors.nbytes + space.work.nbytes
    assert momentum.vector_bytes < local.vector_bytes / 10
    assert momentum.memory_bytes > momentum.vector_bytes + momentum.table_bytes
    assert momentum.table_bytes > momentum._kept.engine.memory_bytes


# input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (catalog.dissipative_xyz(Lattice.chain(4, periodic=False), 1, 1, 1), "the lattice has no translations"),
        (catalog.gain_loss_chain(3, 1.0, 1, 1, 1, 1), "site 0 is not a spin 1/2"),
        (catalog.gain_loss_chain(3, 0.5, 1, 1, 1, 1), "under the translation of site 0 to site 1"),
    ],
)
def test_models_that_are_refused(model, reason):
    for ask in (
        lambda: QuantumJump(unravelling="momentum").check(model),
        lambda: compiled(model, observables=(record.Energy(),)),
    ):
        with pytest.raises(UnsupportedError) as error:
            ask()
        assert str(error.value).startswith("`model` must be spins 1/2 that translations leave as they are")
        assert reason in str(error.value)


@pytest.mark.parametrize(
    "start", [initial.Haar(), initial.RandomProduct(), initial.Configuration((0.5, -0.5) * 3)], ids=str
)
def test_starts_that_are_refused(start):
    with pytest.raises(UnsupportedError, match="`initial` must be a product of equal spin states"):
        QuantumJump(unravelling="momentum").check(model_of("xyz6"), start)


def test_other_refusals():
    model = model_of("xyz6")
    with pytest.raises(UnsupportedError, match=r"`record.collective_distribution` must be \['z'\] with"):
        compiled(model, observables=[record.CollectiveDistribution(("x",))])
    a = (Term.product(("Sz",), (0,)),)
    with pytest.raises(UnsupportedError, match="but each trajectory would have a state of its own"):
        trajsim.two_time_correlation(
            model, QuantumJump(unravelling="momentum"), UP, a, a, times=[1.0], taus=[1.0], trajectories=1
        )
    strong = catalog.dissipative_xyz(Lattice.chain(4), 1e38, 1e38, 1e38)
    with pytest.raises(InputError, match=r"`sampler.precision` must be 'double' for couplings and rates of this size"):
        compiled(strong, observables=[record.Energy()], precision="single")


def test_the_price_is_stated():
    model = model_of("xyz5")
    assert QuantumJump(unravelling="momentum").notes(model) == (CAVEAT,)
    assert QuantumJump().notes(model) == ()
    assert "variance" in CAVEAT
    assert "variance" in QuantumJump.__doc__
    with pytest.warns(TrajsimWarning, match="momentum unravelling: .*variance"):
        trajsim.sample(
            model, QuantumJump(unravelling="momentum"), DOWN, TIMES, [record.Energy()], trajectories=1, block=1, seed=1
        )
