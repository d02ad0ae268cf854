"""Closed forms of Huber 2020, Appendix A, against the numerical Lyapunov equation; phase boundaries; growth rates."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim import Lattice, catalog
from trajsim.errors import InputError, UnsupportedError
from trajsim.model import SpinModel
from trajsim.references.gaussian import HolsteinPrimakoff
from trajsim.references.gaussian.closed_forms import OrderedChain, bloch_coupling, ordered_phase, phase_boundaries
from trajsim.references.gaussian.growth import all_configurations, growth_rates
from trajsim.terms import Term, local_jump

POINTS = [
    ("ud", 1.0, 0.5, 2.0, 2.0),
    ("ud", 1.0, 0.5, 3.0, 1.0),
    ("ud", 1.0, -0.5, 1.6, 1.7),
    ("uu", 1.0, 0.5, 0.4, 0.1),
    ("uu", 1.0, -0.4, 0.6, 0.2),
    ("dd", 1.0, 0.5, 0.1, 0.4),
    ("dd", 0.4, 1.0, 0.3, 0.5),
    ("ud", 1.0, 0.0, 2.0, 1.5),
]


@pytest.mark.parametrize(("configuration", "g", "h", "gain", "loss"), POINTS)
def test_closed_forms_against_lyapunov(configuration: str, g: float, h: float, gain: float, loss: float) -> None:
    chain = OrderedChain(g, h, gain, loss)
    assert chain.configuration == configuration
    cells = 60
    state = HolsteinPrimakoff(configuration).state(catalog.gain_loss_chain(cells, 1.5, g, h, gain, loss))
    np.testing.assert_allclose(state.occupations[:2], chain.occupations(cells), rtol=0, atol=1e-10)
    # images of the ring: relative lambda^cells, 4e-13 and less but for the two points close to a boundary
    finite = abs(chain.decay_factor) ** (cells // 2)
    np.testing.assert_allclose(state.occupations[:2], chain.occupations(), rtol=0, atol=1e-10 + 20 * finite**2)
    normal = state.normal
    np.testing.assert_allclose(normal[0, :30:2], chain.correlation(range(15)), rtol=0, atol=1e-10 + 20 * finite)
    if configuration == "ud":
        assert np.abs(normal[0, 1]) < 1e-10
        with pytest.raises(UnsupportedError, match="must be uu or dd"):
            _ = chain.cross_correlation
    else:
        assert normal[0, 1] == pytest.approx(chain.cross_correlation, abs=1e-10 + 20 * finite)
        assert np.abs(state.anomalous).max() < 1e-10
        assert state.negativity([0]) == 0.0


def test_misprint_of_a16() -> None:
    """lambda^s, not lambda^(s-1): the first neighbour of the sum over wave vectors of (A15)."""
    g, h, gain, loss = 1.0, 0.5, 2.0, 1.5
    chain = OrderedChain(g, h, gain, loss)
    k = 2 * np.pi * np.arange(400) / 400
    occupation = loss / (gain + loss) * np.abs(bloch_coupling(g, h, k)) ** 2
    occupation /= gain * loss - np.abs(bloch_coupling(g, h, k)) ** 2
    sums = [float(np.mean(occupation * np.cos(k * s))) for s in (0, 1, 2)]
    np.testing.assert_allclose(chain.correlation([0, 1, 2]), sums, atol=1e-12)
    assert sums[1] == pytest.approx(0.28098, abs=1e-5)
    printed = loss / (gain + loss) * gain * loss / chain.root
    assert printed == pytest.approx(0.8953, abs=1e-4)


@pytest.mark.parametrize(
    ("gain", "loss"), [(2.0, 2.0), (1.1, 1.1), (2.0, 1.5), (1.0, 3.0), (0.4, 0.1), (0.1, 0.4), (0.9, 0.2)]
)
def test_purity_and_negativity_of_the_dimer(gain: float, loss: float) -> None:
    chain = OrderedChain(1.0, 0.0, gain, loss)
    model = catalog.gain_loss_chain(1, 2.5, 1.0, 0.7, gain, loss, periodic=False)  # an open dimer has no h
    state = HolsteinPrimakoff(chain.configuration).state(model)
    assert state.purity == pytest.approx(chain.purity, abs=1e-12)
    assert state.negativity([0]) == pytest.approx(state.negativity([1]), abs=1e-12)
    if gain == loss or chain.configuration != "ud":
        assert state.negativity([0]) == pytest.approx(chain.negativity, abs=1e-12)
    else:
        assert state.negativity([0]) > 0
        with pytest.raises(UnsupportedError, match="`loss` must equal `gain`"):
            _ = chain.negativity


def test_entanglement_in_the_chain_is_between_neighbours_only() -> None:
    """End of Appendix A, found numerically: a finite negativity only between neighbouring spins."""
    state = HolsteinPrimakoff("ud").state(catalog.gain_loss_chain(8, 1.0, 1.0, 0.5, 1.7, 1.6))
    found = [state.reduced([0, site]).negativity([0]) for site in range(1, 9)]
    assert found[0] > 0.05
    assert max(found[1:]) < 1e-12
    assert state.negativity(range(1, 9)) > found[0]  # a cut through two bonds g


def test_critical_correlation_length() -> None:
    """(A19) is the limit of (A18): relative difference of order of the distance from the boundary."""
    for distance in (1e-2, 1e-4, 1e-6):
        rate = np.sqrt(2.25 + distance)
        chain = OrderedChain(1.0, 0.5, rate, rate)
        assert chain.correlation_length == pytest.approx(chain.critical_correlation_length, rel=distance)


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_boundaries_are_extrema_of_the_bloch_coupling(g: float, h: float) -> None:
    k = np.linspace(-np.pi, np.pi, 41)
    sizes = np.abs(bloch_coupling(g, h, k)) ** 2
    np.testing.assert_allclose([sizes.min(), sizes.max()], phase_boundaries(g, h), atol=1e-12 + 1e-12 * sizes.max())
    square = np.abs(bloch_coupling(g, h, np.stack(np.meshgrid(k, k), axis=-1).reshape(-1, 2))) ** 2
    np.testing.assert_allclose([square.min(), square.max()], phase_boundaries(g, h, "square"), atol=1e-12 * 16)


def square_lattice(size: int, g: float, h: float, gain: float, loss: float) -> SpinModel:
    """Chequerboard of gain and loss, bonds alternating g, h along x and along y."""
    lattice, S = Lattice.square(size, size), 1.0
    xy = lattice.coordinates
    terms = []
    for i, j in lattice.bonds.tolist():
        along = int(np.flatnonzero((xy[j] - xy[i]) % size)[0])
        coupling = (g if xy[i, along] % 2 == 0 else h) / (2 * S)
        terms += [Term.product(names, (i, j), coupling) for names in (("S+", "S-"), ("S-", "S+"))]
    even = xy.sum(axis=1) % 2 == 0
    jumps = [local_jump("S+" if even[i] else "S-", i, (gain if even[i] else loss) / S) for i in range(size**2)]
    return SpinModel.on(lattice, terms, jumps, spin=S)


@pytest.mark.parametrize(("lattice", "product"), list(itertools.product(("chain", "square"), (0.0, 1.0))))
def test_growth_changes_sign_at_the_boundaries(lattice: str, product: float) -> None:
    """Just inside the ordered phases all fluctuations decay, just outside one grows (the rings hold the extremal k)."""
    g, h = 1.0, 0.4
    boundary = phase_boundaries(g, h, lattice)[int(product)]
    antiferromagnet = product == 1.0
    if lattice == "square":
        if not antiferromagnet:
            assert boundary == 0.0
            model = square_lattice(4, g, h, 0.2, 0.1)
            assert growth_rates(model, ["u" * 16]).growth_rate.max() > -1e-9
            return
        up = np.indices((4, 4)).sum(axis=0).ravel() % 2 == 0
        configuration: object = tuple(np.where(up, 1, -1).tolist())
    else:
        configuration = "ud" if antiferromagnet else "uu"
    for shift in (-1e-3, 1e-3):
        x = boundary * (1 + shift)
        gain, loss = 1.2 * np.sqrt(x), np.sqrt(x) / 1.2
        model = (
            catalog.gain_loss_chain(4, 1.0, g, h, gain, loss)
            if lattice == "chain"
            else square_lattice(4, g, h, gain, loss)
        )
        largest = float(growth_rates(model, [configuration]).growth_rate.max())
        assert (largest < 0) == ((shift > 0) == antiferromagnet)
        expected = ordered_phase(g, h, gain, loss, lattice)
        assert (expected is not None) == ((shift > 0) == antiferromagnet)


def test_fingerprint_of_the_phases() -> None:
    """Fig. 8: one stable configuration in the antiferromagnet, none in the PPT phase, purely oscillating ones in PT."""
    h = 0.5

    def least_stable(rate: float) -> np.ndarray:
        rates = growth_rates(catalog.gain_loss_chain(4, 1.0, 1.0, h, rate, rate))
        assert rates.sizes == {"configuration": 256, "mode": 16}
        return rates.growth_rate[:, 0].values

    assert np.count_nonzero(least_stable(1.6) < -1e-9) == 1
    pseudo, pt = least_stable(1.0), least_stable(0.3)
    assert pseudo.min() > 1e-3
    assert np.count_nonzero(pseudo < 0.3) > 10  # slow ones, "Re mu << Gamma"
    assert pt.min() > -1e-9
    assert np.count_nonzero(np.abs(pt) < 1e-9) >= 2


def test_all_configurations_begin_with_all_down() -> None:
    found = all_configurations(3)
    assert found[:3] == [(-1, -1, -1), (1, -1, -1), (-1, 1, -1)]
    assert len(set(found)) == 8
    with pytest.raises(UnsupportedError, match="at most 16 sites"):
        all_configurations(17)


def test_refusals() -> None:
    for gain, loss in ((1.0, 1.0), (0.4, 0.4)):
        with pytest.raises(UnsupportedError, match="`gain` times `loss` must be"):
            OrderedChain(1.0, 0.5, gain, loss)
    with pytest.raises(UnsupportedError, match="`h` must be 0"):
        _ = OrderedChain(1.0, 0.5, 2.0, 2.0).purity
    with pytest.raises(UnsupportedError, match="must be ud"):
        _ = OrderedChain(1.0, 0.5, 0.4, 0.1).critical_correlation_length
    with pytest.raises(InputError, match="`lattice` must be chain or square"):
        phase_boundaries(1.0, 0.5, "cubic")
    with pytest.raises(InputError, match="`wave_vectors` must have the shape"):
        bloch_coupling(1.0, 0.5, np.zeros((2, 3)))
    with pytest.raises(InputError, match="`gain` must be a rate"):
        OrderedChain(1.0, 0.5, -1.0, 2.0)
