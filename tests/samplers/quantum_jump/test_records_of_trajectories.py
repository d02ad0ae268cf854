"""Records of whole ensembles against exact answers. Random checks: fixed seeds, false-alarm rate FALSE_ALARM each."""

from __future__ import annotations

import numpy as np
import pytest
from dense_jumps import SAMPLERS
from full_counting import Counting
from scipy import stats
from systems import Lindblad, observable_matrices

import trajsim
from trajsim import analysis, records
from trajsim import observables as record
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import InitialState, Product
from trajsim.model import SpinModel, Term, local_jump

FALSE_ALARM = 1e-4

BELL_PAIR = SpinModel.on(2, (), [local_jump("S-", i, 1.0) for i in range(2)])
DRIVEN = SpinModel.on(
    3,
    [Term.product(("Sx",), (i,), 1.2) for i in range(3)]
    + [Term.product(("Sz", "Sz"), (i, i + 1), 1.5) for i in range(2)],
    [local_jump("S-", i, 0.7, "decay") for i in range(3)] + [local_jump("Sz", 1, 0.8, "dephasing")],
)
LASER = SpinModel.on(1, [Term.product(("Sx",), (0,), 1.3)], [local_jump("S-", 0, 1.0, "photon")])
TIMES = (0.4, 1.0, 2.5)


class Ket(InitialState):
    """A given state."""

    def __init__(self, *amplitudes: complex) -> None:
        self.vector = np.array(amplitudes, dtype=np.complex128) / np.linalg.norm(amplitudes)

    def check(self, model: SpinModel) -> None:
        assert len(self.vector) == model.hilbert_dimension

    def state(self, model: SpinModel, uniform: object) -> np.ndarray:  # noqa: ARG002
        return self.vector

    def to_spec(self) -> dict[str, object]:
        return {"state": "ket"}


def draw(sampler, model, start, grid, observables, trajectories, **options):
    return trajsim.sample(model, sampler, start, grid, observables, trajectories=trajectories, seed=12, **options)


def score(result, exact, error=None):
    error = result["standard_error"] if error is None else error
    z = np.abs((result["value"] - exact) / error).values
    assert np.isfinite(z).all()
    freedom = int(result["blocks"].min() if "blocks" in result else result["count"].min() / 2) - 1
    assert z.max() < stats.t.isf(FALSE_ALARM / 2 / z.size, freedom)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
def test_entropy_of_a_decaying_bell_pair(sampler):
    """Until the first jump psi ~ |00> + e^{-t}|11>, whose entropy is known; a jump leaves a product state.

    The first jump comes after t with probability (1 + e^{-2t}) / 2.
    """
    data = draw(sampler, BELL_PAIR, Ket(1, 0, 0, 1), TimeGrid(TIMES), [records.EntanglementEntropy()], 600)
    p = np.exp(-2 * np.array(TIMES)) / (1 + np.exp(-2 * np.array(TIMES)))
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    exact = (1 + np.exp(-2 * np.array(TIMES))) / 2 * entropy
    score(analysis.ensemble_mean(data, "entanglement_entropy").isel(point=0), exact)
    raw = draw(
        sampler, BELL_PAIR, Ket(1, 0, 0, 1), TimeGrid(TIMES), [records.EntanglementEntropy()], 32, raw=True
    )["entanglement_entropy_raw"]  # fmt: skip
    np.testing.assert_allclose(np.minimum(abs(raw), abs(raw - entropy)), 0.0, atol=1e-6)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
def test_entropy_depends_on_the_unravelling(sampler):
    """The same decay, the two detectors behind a beam splitter: rho is the same, a jump leaves a Bell state."""
    together = [
        trajsim.terms.collective_jump("S-", (1.0, sign), 0.5, f"detector {sign}") for sign in (1.0, -1.0)
    ]  # fmt: skip
    mixed = SpinModel.on(2, (), together)
    observables = [records.EntanglementEntropy(), records.Purity(), record.Magnetisation(("z",))]
    alone, behind = (draw(sampler, m, Ket(1, 0, 0, 1), TimeGrid([0.6]), observables, 400) for m in (BELL_PAIR, mixed))
    results = [[analysis.ensemble_mean(d, name).squeeze() for d in (alone, behind)]
               for name in ("entanglement_entropy", "purity", "magnetisation")]  # fmt: skip
    z = [abs(a["value"] - b["value"]) / np.hypot(a["standard_error"], b["standard_error"]) for a, b in results]
    assert z[0] > 8
    assert max(z[1:]) < stats.norm.isf(FALSE_ALARM / 4)
    p = np.exp(-1.2) / (1 + np.exp(-1.2))
    silent = (1 + np.exp(-1.2)) / 2
    one_click = 2 * (1 - np.exp(-0.6)) * np.exp(-0.6) / 2  # exactly one of two excited spins has decayed
    exact = silent * (-p * np.log(p) - (1 - p) * np.log(1 - p)) + one_click * np.log(2)
    behind_mean = results[0][1]
    assert abs(behind_mean["value"] - exact) < stats.norm.isf(FALSE_ALARM / 2) * behind_mean["standard_error"]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
@pytest.mark.parametrize("mode", ["times", "steady"])
def test_purity_and_covariance(sampler, mode):
    grid = TimeGrid(TIMES) if mode == "times" else SteadyState(8.0, 4.0, 1.0)
    data = draw(sampler, DRIVEN, Product("-z"), grid, [record.CollectiveCovariance(), records.Purity()], 400)
    exact = Lindblad(DRIVEN, ["decay", "dephasing"])
    psi = Product("-z").state(DRIVEN, lambda _: 0.0)
    rho = exact.propagate(np.outer(psi, psi.conj()), TIMES)[0] if mode == "times" else exact.steady_state()[None]
    matrices = observable_matrices(DRIVEN, record.CollectiveCovariance())
    moments = np.einsum("tij,kji->tk", rho, matrices).real.squeeze()
    score(analysis.ensemble_mean(data, "collective_covariance").isel(point=0), moments)
    purity = analysis.ensemble_mean(data, "purity").isel(point=0)
    assert data["pair_count"].sum() == 208  # 13 blocks of 32 trajectories
    score(purity, np.einsum("tij,tji->t", rho, rho).real.squeeze())


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
def test_final_states(sampler):
    observables = [record.SiteMagnetisation(), record.Correlation(("xy",)), records.FinalStates(), records.Purity()]
    model = SpinModel.on(trajsim.Lattice.chain(3), DRIVEN.hamiltonian, DRIVEN.jumps)
    grid = TimeGrid([0.5, 1.5])
    data = draw(sampler, model, Product((1.0, 0.3, -0.5)), grid, observables, 300, block=20, raw=True).isel(point=0)
    states = data["final_state"].values.reshape(-1, 8)
    np.testing.assert_allclose((np.abs(states) ** 2).sum(axis=1), 1.0, rtol=1e-12)
    for observable in observables[:2]:
        matrices = observable_matrices(model, observable)
        found = np.einsum("ni,kij,nj->nk", states.conj(), matrices, states).real
        raw = data[f"{observable.name}_raw"].isel(time=-1).values.reshape(len(states), -1)
        np.testing.assert_allclose(found, raw, atol=1e-10)
    pairs = np.abs((states[::2].conj() * states[1::2]).sum(axis=1)) ** 2
    mean = analysis.ensemble_mean(data, "purity").isel(point=0, time=-1)["value"]
    np.testing.assert_allclose(mean, pairs.mean(), rtol=1e-12)
    single = draw(sampler, model, Product((1.0, 0.3, -0.5)), grid, [records.FinalStates("single")], 20, block=20)
    assert single["final_state"].dtype == np.complex64
    np.testing.assert_allclose(single["final_state"].values.reshape(-1, 8), states[:20], atol=1e-6)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
@pytest.mark.parametrize("grid", [TimeGrid([0.5, 3.0]), SteadyState(2.0, 4.0, 1.0)], ids=["times", "steady"])
def test_recorded_jumps_are_the_counted_ones(sampler, grid):
    observables = [records.JumpRecords(), record.JumpCounts()]
    data = draw(sampler, DRIVEN, Product("-z"), grid, observables, 40, block=8, raw=True)
    families = DRIVEN.lowered.jumps
    for trajectory in range(40):
        jumps = analysis.jump_record(data, trajectory)
        time = jumps["time"].values
        assert (np.diff(time) > 0).all()
        assert grid.recording_starts < time.min(initial=9.0)
        assert time.max(initial=0.0) <= grid.sample_times[-1]
        block, inside = divmod(trajectory, 8)
        counts = data["jump_counts_raw"].isel(point=0, block=block, trajectory=inside)
        for family in ("decay", "dephasing"):
            own = jumps["family"].values == family
            if "time" in counts.dims:
                for t in grid.sample_times:
                    assert np.count_nonzero(own & (time <= t)) == counts.sel(time=t, channel=family)
            assert np.count_nonzero(own) == data["trajectory_jumps"].isel(
                point=0, block=block, trajectory=inside
            ).sel(channel=family)  # fmt: skip
        for number, name in zip(jumps["channel"].values, jumps["family"].values, strict=True):
            assert families[number].label == name
    alone = draw(sampler, DRIVEN, Product("-z"), grid, [record.JumpCounts()], 40, block=8)
    np.testing.assert_array_equal(alone["trajectory_jumps"], data["trajectory_jumps"])  # looking changes nothing


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
def test_statistics_of_recorded_jumps(sampler):
    grid = SteadyState(12.0, 24.0, 12.0)
    data = draw(sampler, LASER, Product("-z"), grid, [records.JumpRecords()], 320, block=8)
    counting = Counting(LASER)
    rho = counting.exact.steady_state()
    waits = analysis.waiting_time_distribution(data, 12, 9.0).isel(point=0, channel=0)
    score(waits, counting.waiting_times(np.linspace(0.0, 9.0, 13)) / 0.75)
    mean, variance = counting.moments(rho, 4.0)
    score(analysis.fano_factor(data, 4.0).isel(point=0), variance / mean)
    score(analysis.jump_rate(data).isel(point=0), mean / 4.0)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
def test_channels_are_drawn_by_their_rates(sampler):
    data = draw(sampler, DRIVEN, Product("-z"), SteadyState(6.0, 12.0, 6.0), [records.JumpRecords()], 200, block=10)
    rho = Lindblad(DRIVEN, ["decay", "dephasing"]).steady_state()
    counts = np.zeros((200, 4))
    for trajectory in range(200):
        np.add.at(counts[trajectory], analysis.jump_record(data, trajectory)["channel"].values, 1)
    labels = data["jump_label"].values.tolist()
    assert sorted(labels) == ["decay(0)", "decay(1)", "decay(2)", "dephasing(1)"]
    for channel, label in enumerate(labels):
        family, site = label.removesuffix(")").split("(")
        (jump,) = [j for j in DRIVEN.jumps if j.label == family and j.terms[0].sites == (int(site),)]
        matrix = observable_matrices(DRIVEN, record.SiteMagnetisation(("z",)))[int(site)]
        rate = np.trace(rho @ (matrix @ matrix if family == "dephasing" else matrix + np.eye(8) / 2)).real * jump.rate
        t = (counts[:, channel].mean() - 12 * rate) / stats.sem(counts[:, channel])
        assert abs(t) < stats.t.isf(FALSE_ALARM / 8, 199)
