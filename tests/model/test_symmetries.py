from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.catalog import dissipative_heisenberg, dissipative_xyz, driven_ising, driven_xy, gain_loss_chain
from trajsim.lattice import Lattice
from trajsim.model import Site, SpinModel, Term, collective_jump, local_jump, spin
from trajsim.model.embedding import embed
from trajsim.terms import exchange, field, single_site

RING = Lattice.chain(5)
ALL = Lattice.complete(5)


@pytest.mark.parametrize(
    ("model", "parity", "sz", "translations", "permutations"),
    [
        (dissipative_xyz(RING, 2, 0, 1), True, False, True, False),
        (dissipative_xyz(RING, 1, 1, 2, dephasing=0.3), True, True, True, False),
        (dissipative_xyz(ALL, 2, 0, 1, collective_decay=0.5), True, False, True, True),
        (dissipative_xyz(Lattice.chain(5, periodic=False), 2, 0, 1), True, False, False, False),
        (dissipative_xyz(Lattice.square(3, 3), 2, 0, 1), True, False, True, False),
        (dissipative_xyz(Lattice.triangular(3, 4), 2, 0, 1), True, False, True, False),
        (dissipative_xyz(Lattice.cylinder(2, 3), 2, 0, 1), True, False, True, False),
        (dissipative_xyz(Lattice.ladder(3), 2, 0, 1), True, False, True, False),
        (driven_xy(RING, 1, 0.5, 2), False, False, True, False),
        (driven_xy(RING, 1, 0.0, 2), True, True, True, False),
        (driven_ising(ALL, 1, 0.5, 2), False, False, True, True),
        (gain_loss_chain(3, 1.0, 1, 0.5, 0.2, 0.3), True, True, False, False),
        (dissipative_heisenberg(RING, 0.4), True, True, True, False),
        (dissipative_heisenberg(ALL, 0.4), True, True, True, True),
    ],
    ids=lambda value: value.name if isinstance(value, SpinModel) else None,
)
def test_catalog(model: SpinModel, parity: bool, sz: bool, translations: bool, permutations: bool) -> None:
    assert bool(model.conserves_parity) is parity
    assert bool(model.conserves_sz) is sz
    assert bool(model.translation_invariant) is translations
    assert bool(model.permutation_invariant) is permutations


def decay(n: int) -> list[object]:
    return [local_jump("S-", i, 1.0, "decay") for i in range(n)]


def test_reason_names_the_term_that_breaks_sz() -> None:
    verdict = dissipative_xyz(RING, 2, 0, 1).conserves_sz
    assert verdict.reason == "H does not conserve total Sz: its term on sites 0, 1 changes it by -2, +2"
    verdict = SpinModel.on(4, field(4, [[0, 0, 1], [0, 0, 1], [0.1, 0, 1], [0, 0, 1]])).conserves_parity
    assert verdict.reason == "H does not conserve the parity of Sz: its term on site 2 flips it"


def test_reason_names_the_jump_that_breaks_a_charge() -> None:
    verdict = SpinModel.on(3, (), [local_jump("Sx", 1, 1.0, "flip")]).conserves_sz
    assert verdict.reason == "the jump 'flip' on site 1 changes total Sz by several amounts (-1, +1)"
    assert SpinModel.on(3, (), [local_jump("Sx", 1, 1.0, "flip")]).conserves_parity
    tilted = np.array([[0.0, 1.0], [0.0, 1.0]])
    verdict = SpinModel.on(3, (), [local_jump(tilted, 1, 1.0, "tilt")]).conserves_parity
    assert verdict.reason == "the jump 'tilt' on site 1 changes the parity of Sz by several amounts (0, 1)"


def test_a_collective_jump_must_change_the_charge_by_one_amount() -> None:
    good = collective_jump("S-", [1.0, 2.0, 1j], 1.0)
    assert SpinModel.on(3, (), [good]).conserves_sz
    mixed = type(good)((*good.terms, Term.product(["S+"], [0])), 1.0, "mixed")
    verdict = SpinModel.on(3, (), [mixed]).conserves_sz
    assert not verdict
    assert "'mixed' on sites 0, 1, 2" in verdict.reason


def test_cancellation_between_terms_is_seen() -> None:
    x, one = spin(0.5).operators["Sx"], np.eye(2)
    hidden = [Term((0, 1), np.kron(x, one)), Term((0,), -x)]
    assert SpinModel.on(2, hidden).conserves_sz
    assert not SpinModel.on(2, hidden[:1]).conserves_sz


def test_sz_needs_spins() -> None:
    boson = Site(3, {"n": np.diag([0.0, 1, 2])})
    verdict = SpinModel((spin(0.5), boson)).conserves_sz
    assert not verdict
    assert "site 1 is not a spin" in verdict.reason


def test_translation_reasons() -> None:
    assert "no lattice" in SpinModel.on(4).translation_invariant.reason
    assert "not periodic" in dissipative_xyz(Lattice.chain(4, periodic=False), 1, 1, 1).translation_invariant.reason
    h = np.tile([0.0, 0.0, 1.0], (5, 1))
    h[3, 2] = 1.1
    verdict = SpinModel.on(RING, field(5, h)).translation_invariant
    assert not verdict
    assert "under the translation of site 0 to site 1: the term of H on site" in verdict.reason
    verdict = SpinModel.on(RING, (), [local_jump("S-", i, 1.0 + (i == 2), "decay") for i in range(5)])
    assert "the jump 'decay' on site" in verdict.translation_invariant.reason


def test_different_dimensions_break_translations() -> None:
    model = SpinModel.on(RING, spin=[0.5, 0.5, 1, 0.5, 0.5])
    assert "different dimensions" in model.translation_invariant.reason


def test_permutation_reason() -> None:
    verdict = dissipative_xyz(RING, 1, 1, 1).permutation_invariant
    assert verdict.reason.startswith("under the exchange of sites 0 and 1: the term of H on sites")


def test_a_missing_jump_breaks_permutations() -> None:
    model = SpinModel.on(ALL, exchange(ALL, (1, 1, 1)), [local_jump("S-", i, 1.0, "decay") for i in range(4)])
    assert "the jump 'decay' on site" in model.permutation_invariant.reason


def test_an_antisymmetric_exchange_breaks_permutations_but_not_translations() -> None:
    D = np.array([[0, 1.0, 0], [-1.0, 0, 0], [0, 0, 0]])
    assert not SpinModel.on(ALL, exchange(ALL, D)).permutation_invariant
    assert SpinModel.on(RING, exchange(RING, D)).translation_invariant


def test_momentum_jumps_are_invariant_up_to_a_phase() -> None:
    jumps = [collective_jump("S-", np.exp(2j * np.pi * k * np.arange(5) / 5), 0.2, "momentum") for k in range(5)]
    assert SpinModel.on(RING, (), jumps).translation_invariant
    assert not SpinModel.on(RING, (), jumps).permutation_invariant
    assert SpinModel.on(RING, (), jumps[:1]).permutation_invariant


def test_one_site_is_invariant_under_everything_but_translations() -> None:
    model = SpinModel.on(1, field(1, (1, 0, 0)))
    assert model.permutation_invariant
    assert not model.conserves_parity


names = st.sampled_from(["Sx", "Sy", "Sz", "S+ S-"])


@st.composite
def small_models(draw: st.DrawFn) -> SpinModel:
    terms = []
    for _ in range(draw(st.integers(0, 4))):
        sites = draw(st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True))
        terms.append(Term.product([draw(names) for _ in sites], sites, draw(st.sampled_from([-1.0, 0.5, 1.0]))))
    return SpinModel.on(3, terms)


@settings(derandomize=True, deadline=None)
@given(small_models())
def test_verdicts_agree_with_dense_matrices(model: SpinModel) -> None:
    H = embed(model.lowered.hamiltonian, model.dimensions).toarray()
    digits = np.array([bin(index).count("1") for index in range(8)])
    charge = digits[:, None] - digits[None, :]
    assert bool(model.conserves_sz) == (not np.abs(H[charge != 0]).any())
    assert bool(model.conserves_parity) == (not np.abs(H[charge % 2 != 0]).any())
    tensor = H.reshape((2,) * 6)
    same = all(
        np.allclose(tensor, tensor.transpose(*p, *(3 + axis for axis in p))) for p in itertools.permutations(range(3))
    )
    assert bool(model.permutation_invariant) == same


def test_single_ion_terms_keep_every_symmetry() -> None:
    model = SpinModel.on(ALL, single_site(5, "Sz Sz", 0.4), decay(5), spin=1)  # type: ignore[arg-type]
    assert model.conserves_sz
    assert model.permutation_invariant
