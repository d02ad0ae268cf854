"""Two-time correlation functions against the quantum regression theorem with dense Liouvillians.

Random checks have fixed seeds; each fails for correct code with probability FALSE_ALARM.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from dense_jumps import SAMPLERS, DenseJumps
from scipy import stats
from scipy.linalg import expm
from systems import Lindblad, dense

import trajsim
from trajsim.errors import InputError, UnsupportedError
from trajsim.initial import Haar, Product
from trajsim.model import SpinModel, Term, local_jump, pair_jump

FALSE_ALARM = 1e-4

RAISE, LOWER, Z = ([Term.product((name,), (site,))] for name, site in (("S+", 0), ("S-", 0), ("Sz", 0)))
LASER = SpinModel.on(1, [Term.product(("Sx",), (0,), 2.0)], [local_jump("S-", 0, 1.0)])
# nothing is real or symmetric here: unequal spins, a pair jump, complex operators
ODD = SpinModel.on(
    2,
    [Term.product(("Sx",), (0,), 1.0), Term.product(("Sy", "Sz"), (0, 1), 0.7), Term.product(("Sy",), (1,), 0.4)],
    [
        local_jump("S-", 0, 0.8),
        pair_jump(np.kron([[0, 1], [0, 0]], np.diag([1.0, 1j], 1)), (0, 1), 0.5),
    ],
    spin=[0.5, 1.0],
)
CHAIN = SpinModel.on(
    3,
    [Term.product((a, a), (i, i + 1), j) for i in range(2) for a, j in (("Sx", 2.0), ("Sy", -0.8), ("Sz", 0.5))],
    [local_jump("S-", i, 1.0) for i in range(3)],
)
ANY = [Term.product(("Sx", "S+"), (0, 1), 0.3 - 0.8j), Term.product(("Sz",), (1,), 1j), Term.product(("Sy",), (0,))]
OTHER = [Term.product(("S-", "Sz"), (0, 1), 1.0 + 0.5j), Term.product(("Sx",), (1,), 0.6)]


def regression(model: SpinModel, rho: np.ndarray, a: list[Term], b: list[Term], times: list[float], taus: list[float]):
    """tr A e^{L tau} (B e^{L t} rho), (times, taus)."""
    generator = Lindblad(model, list(dict.fromkeys(j.label for j in model.jumps))).liouvillian.toarray()
    left, right = dense(model, a), dense(model, b)
    rows = []
    for t in times:
        start = (right @ (expm(t * generator) @ rho.ravel()).reshape(rho.shape)).ravel()
        rows.append([np.trace(left @ (expm(tau * generator) @ start).reshape(rho.shape)) for tau in taus])
    return np.array(rows)


def assert_near(result: xr.Dataset, exact: np.ndarray) -> None:
    deviation = result["value"].values - exact
    errors = result["standard_error"].values, result["imaginary_standard_error"].values
    freedom = int(result["count"]) - 1
    limit = stats.t.isf(FALSE_ALARM / 2 / (2 * exact.size), freedom)
    for part, error in zip((deviation.real, deviation.imag), errors, strict=True):
        assert (np.abs(part) <= limit * error + 1e-6).all(), np.abs(part / error).max()


CASES = {
    "emission": (LASER, Product("-z"), RAISE, LOWER, [3.0], [0.0, 0.5, 1.5]),
    "a quadrature at t = 0": (LASER, Product((1.0, 0.0, -1.0)), Z, RAISE, [0.0, 0.8], [0.3, 1.0]),
    "neither Hermitian nor real": (ODD, Product((0.3, -0.8, 0.5)), ANY, OTHER, [0.4, 1.1], [0.0, 0.7]),
    "sites of a chain": (
        CHAIN, Product("-z"), [Term.product(("Sx",), (2,))], [Term.product(("Sx",), (0,))], [1.0], [0.2, 1.0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
@pytest.mark.parametrize("name", CASES)
def test_quantum_regression(sampler: object, name: str) -> None:
    model, start, a, b, times, taus = CASES[name]
    psi = start.state(model, lambda _: 0.0)
    exact = regression(model, np.outer(psi, psi.conj()), a, b, times, taus)
    result = trajsim.two_time_correlation(model, sampler, start, a, b, times=times, taus=taus, trajectories=400, seed=8)
    assert result["value"].dims == ("time", "tau")
    assert result["value"].dtype == np.complex128
    assert (int(result["count"]), int(result["failed"])) == (400, 0)
    assert_near(result, exact)
    error = np.hypot(result["standard_error"], result["imaginary_standard_error"])
    assert error.max() < 0.15  # the checks above check something
    assert np.abs(exact).max() > 2 * error.max()


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
def test_equal_times_are_expectation_values_of_products(sampler: object) -> None:
    """At t = tau = 0 nothing is random: <psi| A B |psi> to round-off."""
    start = Product((0.3, -0.8, 0.5))
    psi = start.state(ODD, lambda _: 0.0)
    result = trajsim.two_time_correlation(
        ODD, sampler, start, ANY, OTHER, times=[0.0], taus=[0.0], trajectories=3, seed=1
    )
    exact = psi.conj() @ dense(ODD, ANY) @ dense(ODD, OTHER) @ psi
    assert result["value"].item() == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
def test_stationary(sampler: object) -> None:
    taus = [0.0, 0.6, 2.0]
    times = np.arange(8.0, 14.1, 2.0)
    result = trajsim.two_time_correlation(
        LASER, sampler, Product("-z"), RAISE, LOWER, times=times, taus=taus, trajectories=150, seed=2, stationary=True
    )
    rho = Lindblad(LASER, ["jump"]).steady_state()
    assert result["value"].dims == ("tau",)
    assert_near(result, regression(LASER, rho, RAISE, LOWER, [0.0], taus)[0])
    assert result.attrs["statement"] == "mean over 4 times from 8 to 14"


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.method)
def test_a_trajectory_is_a_function_of_its_number(sampler: object) -> None:
    def draw(**changes: object) -> np.ndarray:
        options = {"times": [0.5, 1.5], "taus": [0.0, 1.0], "trajectories": 4, "seed": 3} | changes
        return trajsim.two_time_correlation(LASER, sampler, Haar(), RAISE, Z, **options)["value"].values

    np.testing.assert_array_equal(draw(), draw())
    # earlier times do not depend on later ones, nor on how many there are
    np.testing.assert_array_equal(draw(times=[0.5])[0], draw()[0])
    assert np.abs(draw() - draw(seed=4)).min() > 1e-6
    eight, four = draw(trajectories=8), draw()
    assert np.abs(eight - four).min() > 1e-9


def test_figure() -> None:
    result = trajsim.two_time_correlation(
        LASER, DenseJumps(), Product(), RAISE, LOWER, times=[0.5, 1.0], taus=[0.0, 0.5, 1.0], trajectories=3, seed=1
    )
    (axes,) = trajsim.analysis.plot(result).axes
    assert axes.get_xlabel() == "tau [inverse rate]"
    assert axes.get_ylabel() == "<A(t + tau) B(t)>"
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == [f"{part}, t = {t}" for t in ("0.5", "1") for part in ("real", "imaginary")]
    (axes,) = trajsim.analysis.plot(result.isel(time=0, drop=True)).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["real", "imaginary"]


def test_the_zero_operator() -> None:
    zero = [Term.product(("S+",), (0,)), Term.product(("S+",), (0,), -1.0)]
    for a, b in ((zero, Z), (Z, zero)):
        result = trajsim.two_time_correlation(
            LASER, DenseJumps(), Product("+x"), a, b, times=[0.2], taus=[0.3], trajectories=60, seed=5
        )
        assert_near(result, np.zeros((1, 1)))


def test_refusals() -> None:
    class Dice:
        method = "dice"

    options = {"times": [0.0, 1.0], "taus": [0.0], "trajectories": 1}

    def attempt(sampler: object = None, a: object = Z, **changes: object) -> None:
        trajsim.two_time_correlation(LASER, sampler or DenseJumps(), Product(), a, Z, **options | changes)

    with pytest.raises(UnsupportedError, match=r"must be asked of a sampler that offers it, but dice does not"):
        attempt(Dice())
    with pytest.raises(InputError, match="`taus` must be increasing and not negative"):
        attempt(taus=[1.0, 0.5])
    with pytest.raises(InputError, match="`times` must hold at least one time"):
        attempt(times=[])
    with pytest.raises(InputError, match="`A` must be a sequence of Terms, but"):
        attempt(a=["Sz"])
    with pytest.raises(InputError, match="`trajectories` must be a positive integer, but 0 was given"):
        attempt(trajectories=0)
