"""The sampler as a whole: what a trajectory is, the tolerance, symmetries of the papers, input that is refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trajsim import QuantumJump, catalog, ensemble
from trajsim import observables as record
from trajsim.errors import InputError, UnsupportedError
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Configuration, Haar, Product, RandomProduct
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, local_jump
from trajsim.samplers.quantum_jump import sampler as quantum_jump
from trajsim.samplers.quantum_jump import tiled
from trajsim.samplers.quantum_jump.kernel import advance
from trajsim.samplers.quantum_jump.measurement import measure
from trajsim.terms import field

ALARM = 1e-4
TIMES = TimeGrid([0.0, 0.7, 3.0])
WINDOW = SteadyState(burn_in=2.0, duration=4.0, sample_every=0.5)
RING = Lattice.chain(4)
XYZ = catalog.dissipative_xyz(RING, 2.0, 0.3, 1.0, dephasing=0.1)
EVERYTHING = (
    record.SiteMagnetisation(),
    record.Correlation(("xx", "xy")),
    record.CollectiveMoments(),
    record.Energy(),
    record.JumpCounts(),
)
BLOCK_FIELDS = ("mean", "m2", "status", "jumps", "batch_m2", "batch_count", "raw")


def compiled(model=XYZ, initial=None, grid=TIMES, observables=EVERYTHING, tolerance=1e-6, stream=None):
    return QuantumJump(tolerance).compile(model, initial or Product("-z"), grid, observables, stream)


# a trajectory is a pure function of (model, settings, grid, seed, index) ----------------------------------


@pytest.mark.parametrize("grid", [TIMES, WINDOW], ids=["times", "steady state"])
@pytest.mark.parametrize("initial", [Product("-z"), RandomProduct(), Haar()], ids=lambda i: type(i).__name__)
def test_two_halves_are_the_whole(grid, initial):
    sampler = compiled(initial=initial, grid=grid)
    whole = sampler.run_block(5, 0, 64, keep_raw=True)
    halves = [sampler.run_block(5, first, 32, keep_raw=True) for first in (32, 0)][::-1]
    for name in ("raw", "jumps", "status"):
        np.testing.assert_array_equal(getattr(whole, name), np.concatenate([getattr(h, name) for h in halves]))
    assert len({row.tobytes() for row in whole.raw[:, -1:]}) == 64  # no trajectory twice
    # another object, another order, one at a time
    again = compiled(initial=initial, grid=grid)
    for index in (63, 0, 17):
        alone = again.run_block(5, index, 1, keep_raw=True)
        np.testing.assert_array_equal(alone.raw[0], whole.raw[index])


def test_seeds_and_models_and_streams():
    rows = [
        compiled().run_block(5, 0, 8, keep_raw=True).raw,
        compiled().run_block(6, 0, 8, keep_raw=True).raw,
        compiled(stream="other").run_block(5, 0, 8, keep_raw=True).raw,
        compiled(stream=XYZ.hash).run_block(5, 0, 8, keep_raw=True).raw,
    ]
    np.testing.assert_array_equal(rows[0], rows[3])
    assert len({r[:, -1].tobytes() for r in rows}) == 3


def test_common_random_numbers():
    # two models that share a stream: the first thresholds agree, so that a nearby model has nearby trajectories
    near = catalog.dissipative_xyz(Lattice.chain(4), 2.0, 0.3, 1.0 + 1e-9, dephasing=0.1)
    first, second = (compiled(m, stream="sweep").run_block(5, 0, 20, keep_raw=True) for m in (XYZ, near))
    own = compiled(near).run_block(5, 0, 20, keep_raw=True)
    distance = np.abs(first.raw - second.raw).max(axis=(1, 2))
    assert np.median(distance) < 1e-5
    assert np.median(np.abs(first.raw - own.raw).max(axis=(1, 2))) > 1e-2


def test_labels_of_jumps_do_not_matter():
    jumps = [local_jump("S-", 0, 1.0, "zeta"), local_jump("S-", 1, 1.0, "alpha")]
    renamed = [local_jump("S-", 0, 1.0, "a"), local_jump("S-", 1, 1.0, "b")]
    first, second = (SpinModel.on(2, (), j) for j in (jumps, renamed))
    assert first.hash == second.hash
    rows = [
        compiled(m, Product("+x"), observables=(record.SiteMagnetisation(),)).run_block(1, 0, 20, True)
        for m in (first, second)
    ]
    np.testing.assert_array_equal(rows[0].raw, rows[1].raw)
    np.testing.assert_array_equal(rows[0].jumps, rows[1].jumps)


def test_warming_up_changes_nothing():
    cold, warm = compiled(), compiled()
    warm.warm_up()
    np.testing.assert_array_equal(cold.run_block(1, 3, 2, True).raw, warm.run_block(1, 3, 2, True).raw)


def test_interrupted_blocks_are_dropped(monkeypatch):
    monkeypatch.setattr(quantum_jump, "_WORK_PER_CALL", 1)  # one product with H_eff a call
    calls = iter(range(1000))
    assert compiled().run_block(1, 0, 50, interrupted=lambda: next(calls) > 20) is None
    assert next(calls) < 30
    assert compiled().run_block(1, 0, 5, interrupted=lambda: False) is not None


def test_slicing_the_work_changes_nothing(monkeypatch):
    whole = compiled(grid=WINDOW).run_block(1, 0, 4, True)
    monkeypatch.setattr("trajsim.samplers.quantum_jump.sampler._WORK_PER_CALL", 1)
    sliced = compiled(grid=WINDOW).run_block(1, 0, 4, True)
    for name in BLOCK_FIELDS:
        np.testing.assert_array_equal(getattr(whole, name), getattr(sliced, name))


SCRIPT = """
import hashlib
from trajsim import Lattice, QuantumJump, catalog, sample
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Haar, Product
from trajsim import observables as record
model = catalog.dissipative_xyz(Lattice.chain(4), 2.0, 0.3, 1.0, collective_decay=0.2)
digest = hashlib.sha256()
for grid in (TimeGrid([0.5, 2.0]), SteadyState(1.0, 2.0, 0.5)):
    for start in (Product("+x"), Haar()):
        observables = [record.SiteMagnetisation(), record.Correlation(("xx", "xy")), record.Energy()]
        data = sample(model, QuantumJump(), start, grid, observables, trajectories=12, seed=8, block=4, raw=True)
        for name in sorted(data.data_vars):
            digest.update(name.encode() + data[name].values.tobytes())
print(digest.hexdigest())
"""


def test_two_processes_draw_the_same_bits():
    digests = [
        subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=200, check=True).stdout
        for _ in range(2)
    ]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 65


def test_every_model_runs_on_the_kernel_of_its_engine():
    # a kernel that is compiled anew for some model would cost seconds on every rank
    compiled().run_block(0, 0, 1)
    compiled(catalog.dissipative_xyz(Lattice.chain(8), 2.0, 0.0, 1.0)).run_block(0, 0, 1)
    known = [len(kernel.signatures) for kernel in (advance, measure)]
    closed = SpinModel.on(2)
    for model in (
        closed,
        catalog.gain_loss_chain(2, 1.0, 1.0, 0.6, 0.7, 0.9),
        catalog.dissipative_heisenberg(RING, 0.3),
    ):
        for grid in (TIMES, WINDOW):
            for initial in (Product("-z"), Haar()):
                compiled(model, initial, grid, (record.Energy(), record.JumpCounts())).run_block(0, 0, 1)
    compiled(catalog.driven_xy(Lattice.chain(14), 1.0, 1.0, 1.0), grid=TimeGrid([0.01])).run_block(0, 0, 1)
    assert [len(kernel.signatures) for kernel in (advance, measure)] == known


# the tolerance --------------------------------------------------------------------------------------------


def test_order_of_convergence_in_the_tolerance():
    """With the same random numbers, typical trajectories approach the exact ones like tolerance^1."""
    observables = (record.SiteMagnetisation(), record.Correlation(("xx",)))
    rows = {
        tolerance: compiled(grid=TimeGrid([2.0]), observables=observables, tolerance=tolerance).run_block(
            2, 0, 60, True
        )
        for tolerance in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12)
    }
    reference = rows.pop(1e-12)
    errors = [np.median(np.abs(block.raw - reference.raw).max(axis=(1, 2))) for block in rows.values()]
    slope = np.polyfit(np.log(list(rows)), np.log(errors), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.15)
    # the docstring: the bias is of the order of the tolerance times the time
    assert all(error < 5 * tolerance * 2.0 for tolerance, error in zip(rows, errors, strict=True))


def test_size_of_the_tiles_changes_rounding_only(monkeypatch):
    observables = (record.SiteMagnetisation(), record.Energy())
    first = compiled(observables=observables).run_block(3, 0, 20, True)
    monkeypatch.setattr(tiled, "_LOW_STATES", 2)
    second = compiled(observables=observables).run_block(3, 0, 20, True)
    np.testing.assert_allclose(first.raw, second.raw, atol=1e-6)


def test_many_blocks_against_product_solutions():
    """Ten spins that do not interact, 1024 amplitudes: every site follows its own Bloch equations.

    False alarms: 1e-4 over 60 numbers, Student's t, n = 300.
    """
    sites = np.arange(10)
    omega, gamma = 0.5 + 0.2 * sites, 0.4 + 0.1 * sites
    model = SpinModel.on(
        10,
        field(10, np.stack([omega, 0.1 * sites, -0.3 * np.ones(10)], axis=1)),
        [local_jump("S-", int(i), gamma[i], f"decay {i}") for i in sites],
    )
    data = compiled(model, grid=TimeGrid([1.6, 2.5]), observables=(record.SiteMagnetisation(),)).run_block(4, 0, 300)
    exact = np.empty((2, 3, 10))
    for i in sites:
        h = np.array([omega[i], 0.1 * i, -0.3])
        # d<S>/dt = h x <S> - gamma (Sx/2, Sy/2, Sz + 1/2)
        matrix = np.array([[0, -h[2], h[1]], [h[2], 0, -h[0]], [-h[1], h[0], 0]]) - gamma[i] * np.diag([0.5, 0.5, 1.0])
        source = np.array([0.0, 0.0, -gamma[i] / 2])
        fixed = -np.linalg.solve(matrix, source)
        values, vectors = np.linalg.eig(matrix)
        for k, t in enumerate((1.6, 2.5)):
            start = np.linalg.solve(vectors, np.array([0.0, 0.0, -0.5]) - fixed)
            exact[k, :, i] = fixed + (vectors @ (np.exp(values * t) * start)).real
    error = np.sqrt(data.m2 / 299 / 300)
    z = (data.mean - exact.reshape(2, 30)) / error
    assert not data.status.any()
    assert np.abs(z).max() < stats.t.isf(ALARM / 2 / 60, 299)


# symmetries of the papers ---------------------------------------------------------------------------------


def difference(first, second, sign=1.0):
    """z of mean_1 - sign mean_2 of two independent ensembles, where anything fluctuates."""
    error = np.sqrt(sum(block.m2 / (block.count - 1) / block.count for block in (first, second)))
    return ((first.mean - sign * second.mean) / np.where(error > 1e-6, error, np.inf)).ravel()


def assert_equal_ensembles(first, second, sign=1.0):
    z = difference(first, second, sign)
    assert np.abs(z).max() < stats.norm.isf(ALARM / 2 / z.size)
    assert np.count_nonzero(z) > 0


def test_staggering_of_the_dissipative_xyz_ring():
    """Lee 2013: (Jx, Jy, Jz) -> (-Jx, -Jy, Jz) staggers the xx and yy correlations and keeps <sz>."""
    ring = Lattice.chain(6)
    observables = (record.Magnetisation(("z",)), record.Correlation(("xx", "yy", "zz")))
    blocks = [
        compiled(catalog.dissipative_xyz(ring, *J, 1.0), grid=TimeGrid([3.0]), observables=observables).run_block(
            9, 0, 700
        )
        for J in ((2.0, 0.3), (-2.0, -0.3))
    ]
    parity = [1 - 2 * (int(label) % 2) for label in ring.displacement_labels]
    assert_equal_ensembles(*blocks, sign=np.array([1, *parity, *parity, *np.ones(6)]))


def test_gain_and_loss_is_the_xyz_chain_turned():
    """Huber 2020, S = 1/2, h = g, Gg = Gl = G: the chain (g, -g, 0) with gamma = 2 G after flipping one sublattice."""
    g, rate = 1.2, 0.5
    grid = TimeGrid([0.5, 2.0])
    observables = (record.SiteMagnetisation(("z",)), record.PairCorrelation(("zz", "xx")))
    gain = catalog.gain_loss_chain(2, 0.5, g, g, rate, rate)
    flipped = compiled(gain, Configuration((0.5, -0.5) * 2), grid, observables).run_block(1, 0, 1500)
    xyz = catalog.dissipative_xyz(Lattice.chain(4), g, -g, 0.0, gamma=2 * rate)
    straight = compiled(xyz, Product("-z"), grid, observables).run_block(2, 0, 1500)
    s = np.array([-1.0, 1.0, -1.0, 1.0])  # the rotation about x turns the sublattice of gain upside down
    sign = np.concatenate([s, np.outer(s, s).ravel(), np.ones(16)])
    assert_equal_ensembles(flipped, straight, sign)


def test_isotropic_in_plane_couplings_leave_all_down_alone():
    block = compiled(catalog.dissipative_xyz(Lattice.square(3, 2, periodic=False), 0.8, 0.8, -1.3)).run_block(1, 0, 5)
    np.testing.assert_allclose(block.m2, 0.0, atol=1e-18)
    assert not block.jumps.any()


def test_trajectories_keep_the_charges_of_the_model():
    # U(1): every trajectory of the gain-loss chain has a definite Sz at all times; Z2: definite parity in XYZ
    gain = compiled(
        catalog.gain_loss_chain(2, 1.0, 1.0, 0.6, 0.7, 0.9), observables=(record.CollectiveMoments(("z",)),)
    ).run_block(1, 0, 20, True)
    first, second = gain.raw[:, :, 0], gain.raw[:, :, 1]
    np.testing.assert_allclose(second, first**2, atol=1e-10)
    np.testing.assert_allclose(first, np.rint(first), atol=1e-10)
    parity = compiled(
        catalog.dissipative_xyz(Lattice.chain(4), 2.0, 0.0, 1.0), observables=(record.CollectiveDistribution(("z",)),)
    ).run_block(1, 0, 20, True)
    even, odd = parity.raw[:, :, 0::2].sum(axis=2), parity.raw[:, :, 1::2].sum(axis=2)
    np.testing.assert_allclose(even * odd, 0.0, atol=1e-12)
    np.testing.assert_allclose(even + odd, 1.0, atol=1e-12)


# input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tolerance", [0, 1, 0.5, -1e-6, 1e-14, "fine", None, True, float("nan"), float("inf")], ids=str
)
def test_bad_tolerances(tolerance):
    with pytest.raises(InputError) as error:
        QuantumJump(tolerance)
    assert str(error.value) == f"`sampler.tolerance` must be a number from 1e-13 to 1e-2, but {tolerance!r} was given"


@given(st.floats(1e-13, 1e-2))
@settings(max_examples=20)
def test_settings_are_written_out(tolerance):
    spec = {"method": "quantum_jump", "tolerance": tolerance, "precision": "double", "memory": "fast"}
    assert QuantumJump(tolerance).to_spec() == {**spec, "unravelling": "local"}


def test_other_input_that_is_refused():
    with pytest.raises(InputError, match=r"`sampler.precision` must be 'double' or 'single', but 'half' was given"):
        QuantumJump(precision="half")
    with pytest.raises(InputError, match=r"`sampler.memory` must be 'fast' or 'low', but 'none' was given"):
        QuantumJump(memory="none")
    with pytest.raises(InputError, match=r"`sampler.unravelling` must be 'local' or 'momentum', but 'k' was given"):
        QuantumJump(unravelling="k")
    with pytest.raises(InputError, match=r"`sampler.tolerance` must be at least 1e-6 in single precision, which"):
        QuantumJump(1e-7, precision="single")
    with pytest.raises(UnsupportedError, match=r"`model` must have at most 2\^28 basis states for quantum jumps, but"):
        compiled(catalog.dissipative_xyz(Lattice.chain(29), 1.0, 0.0, 1.0))
    with pytest.raises(InputError, match=r"`initial.m` must have one entry per site \(4\), but it has 1"):
        compiled(initial=Configuration((0.5,)))
    with pytest.raises(InputError, match="`observables` must hold at least one observable, but it is empty"):
        compiled(observables=())
    for observables in (record.Energy(), ("energy",), [record.Energy(), None]):
        with pytest.raises(InputError, match="`observables` must be a list of observables, but"):
            compiled(observables=observables)
    with pytest.raises(InputError, match="`observables` must name each observable once, but `energy` is there twice"):
        compiled(observables=(record.Energy(), record.Energy()))
    with pytest.raises(InputError, match=r"`seed` must be an integer from 0 to 2\^63 - 1, but -1 was given"):
        compiled().run_block(-1, 0, 1)


def test_memory_is_that_of_one_trajectory():
    def sampler(n, **settings):
        model = catalog.dissipative_xyz(Lattice.chain(n), 2.0, 0.0, 1.0)
        return QuantumJump(**settings).compile(model, Product("-z"), WINDOW, (record.Energy(),))

    # in a parity sector, 2^(n-1) amplitudes: up to 21 Taylor vectors, each 24 cache lines apart from the next, one more
    # and one to measure in, of 16 bytes
    apart = 24 * 64
    for n in (10, 14):
        assert sampler(n).vector_bytes == 23 * 16 * 2 ** (n - 1) + 21 * apart
        assert sampler(n, memory="low").vector_bytes == (4 + 1) * 16 * 2 ** (n - 1) + 3 * apart
        assert sampler(n, precision="single").vector_bytes == 22 * 8 * 2 ** (n - 1) + 16 * 2 ** (n - 1) + 21 * apart
        assert sampler(n).memory_bytes >= sampler(n).vector_bytes + sampler(n).table_bytes
    assert compiled(grid=SteadyState(0.0, 1000.0, 0.5)).memory_bytes > compiled(grid=WINDOW).memory_bytes


def test_sampling_needs_no_campaign():
    data = ensemble.sample(XYZ, QuantumJump(), Product("-z"), TIMES, EVERYTHING, trajectories=5, seed=1, block=2)
    assert data["count"].values.tolist() == [[2, 2, 2]]
