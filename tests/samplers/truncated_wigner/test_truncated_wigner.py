"""The truncated Wigner sampler: identity of trajectories, classical limit, time step, settings, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import wigner_exact as exact
from scipy import stats
from scipy.integrate import solve_ivp

import trajsim
from trajsim import Lattice, SpinModel, TruncatedWigner, catalog, grid, initial
from trajsim import observables as obs
from trajsim.errors import InputError, TrajsimWarning, UnsupportedError
from trajsim.model.spin_polynomials import spin_form
from trajsim.records import Purity
from trajsim.records.classical import SublatticeDistribution, TimeStepError
from trajsim.samplers.lanes import LANES
from trajsim.samplers.status import NOT_FINITE, describe
from trajsim.samplers.truncated_wigner.sampler import _schedule
from trajsim.terms import collective_jump, exchange, field, local_jump, pair_jump, single_site

Z = stats.norm.isf(1e-4 / 2)
BOTH = pytest.mark.parametrize("precision", ["double", "single"])


def chain(S=20.0, cells=2, gain=1.5, loss=0.6):
    return catalog.gain_loss_chain(cells, S, 1.0, 0.5, gain, loss)


def block(model, first, count, settings=None, observables=None, start=None, times=(0.0, 0.3, 1.1)):
    compiled = (settings or TruncatedWigner()).compile(
        model,
        start or initial.Product("+x"),
        grid.TimeGrid(times),
        observables or [obs.SiteMagnetisation(), obs.Energy()],
    )
    return compiled.run_block(11, first, count, keep_raw=True)


def crowded():
    """Fields, anisotropy, three jumps on a site, one shared by all: every road through the kernel."""
    lattice = Lattice.chain(3)
    jumps = [*(local_jump(name, 0, 0.02) for name in ("S-", "S+", "Sz")), local_jump("Sz", 1, 0.1)]
    return SpinModel.on(
        lattice,
        (*exchange(lattice, (0.1, 0.2, -0.1)), *field(lattice, (0.3, 0.0, 0.1)), *single_site(lattice, "Sz Sz", 0.02)),
        (*jumps, collective_jump("S-", [1.0, 0.5j, -0.7], 0.02)),
        spin=10.0,
    )


@BOTH
@pytest.mark.parametrize(
    ("model", "start"),
    [(chain(), initial.Product([0.3, 0.4, 0.5])), (chain(), initial.RandomProduct()), (crowded(), initial.Product())],
    ids=["fixed", "random", "crowded"],
)
def test_trajectories_depend_on_their_number_alone(precision, model, start):
    """Bit by bit: whatever the block, the lane and what is drawn beside."""
    settings = TruncatedWigner(precision=precision)
    whole = block(model, 0, LANES + 13, settings, start=start)
    assert whole.status.tolist() == [0] * (LANES + 13)
    for first, count in ((0, 5), (5, 1), (7, LANES + 6), (LANES - 1, 9)):
        part = block(model, first, count, settings, start=start)
        np.testing.assert_array_equal(part.raw, whole.raw[first : first + count])
    assert len(np.unique(whole.raw[:, -1, 0])) == LANES + 13
    other = block(model, 0, 5, settings, observables=[obs.Energy(), TimeStepError()], start=start)
    np.testing.assert_array_equal(other.raw[:, :, 0], whole.raw[:5, :, -1])  # what is recorded changes nothing


def test_interrupted_blocks_are_dropped():
    compiled = TruncatedWigner().compile(chain(), initial.Product(), grid.TimeGrid([1.0]), [obs.Energy()])
    assert compiled.run_block(1, 0, 4, interrupted=lambda: True) is None


def classical():
    """Three large spins with couplings, fields and anisotropy, no jumps."""
    J = np.array([[0.02, 0.01, 0.0], [-0.005, 0.03, 0.01], [0.0, 0.0, -0.02]])
    lattice = Lattice.chain(3, periodic=False)
    terms = (*exchange(lattice, J), *field(lattice, (0.3, -0.2, 0.5)), *single_site(lattice, "Sz Sz", 0.01))
    return SpinModel.on(lattice, terms, spin=40.0)


def test_without_noise_the_classical_equations_of_second_order():
    model = classical()
    form = spin_form(model)
    record = [obs.SiteMagnetisation()]
    start = block(model, 0, 1, observables=record, times=(0.0,)).raw[0, 0].reshape(3, 3).T

    def velocity(_, y):
        s = y.reshape(3, 3)
        return np.cross(exact.rotation_vectors(form, s), s).ravel()

    solved = solve_ivp(velocity, (0, 3.0), start.ravel(), method="DOP853", rtol=1e-12, atol=1e-10).y[:, -1]
    errors = []
    for h in (0.06, 0.03, 0.015):
        found = block(model, 0, 1, TruncatedWigner(time_step=h), record, times=(3.0,)).raw[0, 0].reshape(3, 3).T
        errors.append(np.abs(found - solved.reshape(3, 3)).max())
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 40.5, rtol=1e-13)
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all((orders > 1.8) & (orders < 2.3)), orders
    assert errors[-1] < 0.05


@BOTH
def test_lengths_stay(precision):
    """|s| after 20000 noisy steps; the rule of the initial state says what it is."""
    model = chain(S=5.0)
    squares = [obs.PairCorrelation(("xx", "yy", "zz"))]
    for sampling, correction in (("fixed_length", 1 / 12), ("coherent_gaussian", 1 / 8)):
        settings = TruncatedWigner(time_step=0.02, precision=precision, sampling=sampling)
        raw = block(model, 0, 3, settings, squares, times=(0.0, 400.0)).raw.reshape(3, 2, 3, 4, 4)
        lengths = np.sqrt(raw.sum(axis=2)[..., range(4), range(4)] + 3 * correction)
        np.testing.assert_allclose(lengths[:, 1], lengths[:, 0], rtol=1e-12 if precision == "double" else 1e-6)
        if sampling == "fixed_length":
            np.testing.assert_allclose(lengths, 5.5, rtol=1e-12 if precision == "double" else 1e-6)
        else:
            assert lengths.std() > 0.5


def differences(S, h, trajectories=1600):
    """Root mean square of s - s', and mean of m_z - m'_z, over S at t = 2; with its standard error."""
    raw = block(chain(S), 0, trajectories, TruncatedWigner(time_step=h), [TimeStepError()], times=(2.0,)).raw[:, 0]
    weak = raw[:, 3] / S
    return np.sqrt(raw[:, 0].mean()), weak.mean(), weak.std() / np.sqrt(trajectories)


def test_strong_order():
    """1/2 where the noise is strong (it does not commute), 1 where it is weak."""
    for S, low, high in ((4.0, 0.4, 0.8), (2000.0, 0.9, 1.2)):
        errors = [differences(S, h, 320)[0] for h in (0.04, 0.01)]
        order = np.log2(errors[0] / errors[1]) / 2
        assert low < order < high, (S, order)


def test_weak_order():
    """2 where the noise is weak, 1 where it is strong: O(h^2) + O(h / S), with the same noise."""
    for S, steps, expected in ((2000.0, (0.1, 0.05), 2.0), (4.0, (0.1, 0.05), 1.0)):
        (_, first, e1), (_, second, e2) = (differences(S, h) for h in steps)
        ratio, error = first / second, abs(first / second) * np.hypot(e1 / first, e2 / second)
        assert abs(ratio - 2**expected) < Z * error + 0.25 * 2**expected, (S, ratio, error)
        assert abs(second) > 5 * e2


def test_halved_noise_adds_up():
    """Without drift the halves of a step commute to first order: the trajectories stay together as the step shrinks."""
    model = SpinModel.on(1, (), (local_jump("Sz", 0, 0.4),), spin=10.0)
    raw = block(model, 0, 64, TruncatedWigner(time_step=0.01), [TimeStepError()], times=(5.0,)).raw[:, 0]
    # about one axis rotations commute: all that is left is the rotation by arctan instead of by the angle
    assert np.sqrt(raw[:, 0].mean()) < 2e-3
    other = block(model, 0, 64, TruncatedWigner(time_step=0.0025), [TimeStepError()], times=(5.0,)).raw[:, 0]
    assert 2.0 < np.sqrt(raw[:, 0].mean() / other[:, 0].mean()) < 8.0


def test_precisions_agree():
    """The same noise: the same trajectories until rounding has grown."""
    record = [obs.SiteMagnetisation()]
    double, single = (
        block(chain(), 0, 32, TruncatedWigner(precision=p), record, times=(2.0,)).raw for p in ("double", "single")
    )
    assert 0 < np.abs(double - single).max() < 20.5 * 1e-4


def test_step_is_chosen_from_the_rates_and_stored():
    model = chain(S=100.0)
    rate = 0.05 / TruncatedWigner().step(model)
    assert 2.5 < rate < 3.5  # g + h + gain, and a little
    assert TruncatedWigner(tolerance=1e-6).step(model) == pytest.approx(0.005 / rate)
    ensemble = trajsim.sample(
        model, TruncatedWigner(), initial.Product(), grid.TimeGrid([0.1]), [obs.Energy()], trajectories=2, seed=1
    )
    assert ensemble.attrs["time_step"] == TruncatedWigner().step(model)
    assert (ensemble.attrs["sampler"], ensemble.attrs["sampling"]) == ("truncated_wigner", "fixed_length")
    still = SpinModel.on(2, (), (), spin=3.0)
    raw = block(still, 0, 2, observables=[obs.Magnetisation(("x",))]).raw
    np.testing.assert_array_equal(raw[:, 0], raw[:, 2])


def test_schedule_ends_at_the_sample_times():
    schedule = _schedule(np.array([0.0, 0.5, 0.75, 1.0]), 0.1)
    assert schedule.steps.tolist() == [0, 5, 3, 3]
    np.testing.assert_allclose(np.cumsum(schedule.steps * schedule.widths), [0.0, 0.5, 0.75, 1.0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"time_step": 0}, "`sampler.time_step` must be positive"),
        ({"time_step": -0.1}, "`sampler.time_step` must be positive"),
        ({"time_step": float("nan")}, "`sampler.time_step` must be a finite number"),
        ({"time_step": "fast"}, "`sampler.time_step` must be a number"),
        ({"tolerance": 0}, "`sampler.tolerance` must be a number from 1e-10 to 1e-2"),
        ({"tolerance": True}, "`sampler.tolerance` must be a number from 1e-10 to 1e-2"),
        ({"sampling": "husimi"}, "`sampler.sampling` must be one of fixed_length, two_point, coherent_gaussian"),
        ({"precision": "half"}, "`sampler.precision` must be 'double' or 'single'"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(InputError, match=message):
        TruncatedWigner(**settings)


def test_a_step_too_large_is_refused_with_the_step_to_use():
    with pytest.raises(
        InputError, match=r"`sampler.time_step` must be at most 0.3\d* for this model, better 0.01\d*, but"
    ):
        TruncatedWigner(time_step=0.5).check(chain())
    with pytest.warns(TrajsimWarning, match=r"a step turns a spin by up to 0.6\d rad; `sampler.time_step` = 0.01\d+"):
        trajsim.sample(
            chain(), TruncatedWigner(time_step=0.2), initial.Product(), grid.TimeGrid([0.4]), [obs.Energy()],
            trajectories=1, seed=1,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (catalog.dissipative_heisenberg(Lattice.chain(4), lam=0.3), "jumps linear in the spin operators"),
        (SpinModel.on(2, (), (pair_jump(np.eye(9), (0, 1), 1.0), local_jump("S- S-", 0, 1.0)), spin=1), "jumps linear"),
        (SpinModel.on(2, single_site(2, "Sz Sz Sz"), (), spin=4), "at most two spin operators a term"),
    ],
)
def test_other_models_are_refused(model, message):
    with pytest.raises(UnsupportedError, match=message):
        TruncatedWigner().check(model)


def test_initial_states():
    model, sampler = chain(S=3.0), TruncatedWigner()
    sampler.check(model, initial.Configuration((3, -3, 3, -3)))
    neel = block(model, 0, 400, start=initial.Configuration((3, -3, 3, -3)), times=(0.0,)).mean[0]
    np.testing.assert_allclose(neel[8:12], [3, -3, 3, -3], atol=0.2)
    with pytest.raises(
        UnsupportedError, match=r"`initial.m` must be S or -S for truncated_wigner, but 1 was given on site 1"
    ):
        sampler.check(model, initial.Configuration((3, 1, 3, -3)))
    with pytest.raises(UnsupportedError, match="random_product starts from the same mixture"):
        sampler.check(model, initial.Haar())


def test_what_it_cannot_record():
    run = lambda record: trajsim.sample(  # noqa: E731
        chain(), TruncatedWigner(), initial.Product(), grid.TimeGrid([0.1]), [record], trajectories=2, seed=1
    )
    with pytest.raises(
        UnsupportedError, match=r"`record.jump_counts` must be left out for truncated_wigner, but .* diffuse"
    ):
        run(obs.JumpCounts())
    with pytest.raises(UnsupportedError, match=r"`record\.purity` must be asked of a sampler that offers it"):
        run(Purity())
    for record in (SublatticeDistribution(), TimeStepError()):
        with pytest.raises(UnsupportedError, match="but quantum_jump does not"):
            trajsim.sample(
                chain(S=0.5), trajsim.QuantumJump(), initial.Product(), grid.TimeGrid([0.1]), [record],
                trajectories=2, seed=1,
            )  # fmt: skip


@pytest.mark.parametrize(("S", "bias"), [(0.5, "30 to 40 %"), (1.0, "15 %"), (2.0, "6 %"), (3.0, "2 to 6 %")])
def test_small_spins_are_warned_about(S, bias):
    with pytest.warns(TrajsimWarning, match=bias):
        trajsim.sample(
            chain(S), TruncatedWigner(), initial.Product(), grid.TimeGrid([0.1]), [obs.Energy()], trajectories=1, seed=1
        )
    assert not TruncatedWigner().notes(chain(4.0))


def test_spins_that_are_lost_are_a_status():
    compiled = TruncatedWigner().compile(chain(), initial.Product(), grid.TimeGrid([0.5]), [obs.Energy()])
    generator = compiled._generator
    compiled._generator = generator._replace(coefficient=generator.coefficient * 1e308)
    data = compiled.run_block(1, 0, 3)
    assert data.status.tolist() == [NOT_FINITE] * 3
    assert "time_step" in describe(NOT_FINITE)


def test_memory_is_known():
    compiled = TruncatedWigner().compile(chain(), initial.Product(), grid.TimeGrid([0.5, 1.0]), [obs.Energy()])
    assert 1e4 < compiled.memory_bytes < 1e6


def test_random_models_keep_the_mixed_state():
    """Unital jumps (Hermitian L) leave uniformly distributed spins as they are."""
    lattice = Lattice.chain(3)
    model = SpinModel.on(
        lattice, exchange(lattice, (0.2, -0.1, 0.3)),
        (*(local_jump("Sz", i, 0.2) for i in range(3)), collective_jump("Sx", [1.0, -0.5, 2.0], 0.1)), spin=4.0,
    )  # fmt: skip
    found = block(model, 0, 640, start=initial.RandomProduct(), times=(2.0,), observables=[obs.SiteMagnetisation()]).raw
    values = found[:, 0] / 4.5
    for column in values.T:
        assert stats.kstest(column * 4.5 / 9.0 + 0.5, "uniform").pvalue > 1e-5
