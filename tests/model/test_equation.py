from __future__ import annotations

import numpy as np

from trajsim.catalog import CATALOG, dissipative_heisenberg, dissipative_xyz, driven_xy, gain_loss_chain
from trajsim.lattice import Lattice
from trajsim.model import Site, SpinModel, Term, collective_jump, local_jump, spin
from trajsim.terms import field, power_law


def test_xyz_prints_as_in_the_paper_with_spin_operators() -> None:
    model = dissipative_xyz(Lattice.chain(16), 2.0, 0.0, 1.0, collective_decay=1.5)
    assert str(model).splitlines() == [
        "dissipative_xyz: 16 sites of spin 0.5, chain",
        "dρ/dt = -i [H, ρ] + Σ_c (L_c ρ L_c† - {L_c† L_c, ρ} / 2)",
        "H = Σ_{⟨ij⟩} (4 Sx_i Sx_j + 2 Sz_i Sz_j)",
        "decay: L = √1 S-_i, each i",
        "collective_decay: L = √0.1 Σ_{i} S-_i",
    ]
    assert "dissipative_xyz: 16 sites" in repr(model)


def test_signs_and_unit_coefficients() -> None:
    text = str(driven_xy(Lattice.chain(8), 1.0, 0.5, 4.0))
    assert "H = Σ_{i} (Sx_i + Sz_i) + Σ_{⟨ij⟩} (-4 Sx_i Sx_j - 4 Sy_i Sy_j)" in text


def test_parts_of_a_lattice_are_listed() -> None:
    text = str(gain_loss_chain(4, 0.5, 1.0, 0.5, 0.1, 0.2))
    assert "Σ_{i,j ∈ (0, 1), (2, 3), (4, 5), (6, 7)} (S+_i S-_j + S-_i S+_j)" in text
    assert "gain: L = √0.2 S+_i, each i ∈ 0, 2, 4, 6" in text


def test_site_dependent_coefficients_and_all_pairs() -> None:
    lattice = Lattice.chain(5, periodic=False)
    h = np.zeros((5, 3))
    h[:, 2] = [0.1, 0.2, 0.3, 0.4, 0.5]
    text = str(SpinModel.on(lattice, power_law(lattice, (1, 0, 0), 3) + field(lattice, h)))
    assert "Σ_{i<j} c Sx_i Sx_j [c = 1, 0.125, 0.037037, 0.015625, ...]" in text
    assert "Σ_{i} c Sz_i [c = 0.1, 0.2, 0.3, 0.4, ...]" in text


def test_matrices_are_named_and_written_out() -> None:
    text = str(dissipative_heisenberg(Lattice.square(3, 3), 0.25))
    assert "H = 0" in text
    assert "uu<-singlet: L = √1 M1_ij, each ⟨ij⟩" in text
    assert "M1 = [0 0 0 0; 0 0 0 0; 0 0 0 0; 0 -0.707107 0.707107 0]" in text
    big = SpinModel.on(3, [Term((0, 1, 2), np.eye(8))])
    assert "M1: 8 x 8 matrix" in str(big)


def test_mixed_sites_and_complex_weights() -> None:
    sites = (spin(1), spin(0.5), Site(3, {"b": np.diag([0.0, 1.0, 2.0])}))
    text = str(SpinModel(sites, (), (collective_jump("I", [1.0, 2.0, 1j], 0.5), local_jump("b", 2, 1.0, "loss"))))
    assert "3 sites (1 of spin 1, 1 of spin 0.5, 1 of dimension 3)" in text
    assert "[c = 1, 2, (0+1i)]" in text
    assert "loss: L = √1 b_i, each i ∈ 2" in text


def test_every_model_of_the_catalog_prints() -> None:
    arguments = {
        "dissipative_xyz": (Lattice.square(3, 3), 1, 2, 3, 0.5, 0.5, 0.5),
        "gain_loss_chain": (1, 1, 1, 1, 1, 1, False),
        "driven_xy": (Lattice.complete(5), 1, 1, 1),
        "driven_ising": (Lattice.cubic(3, 3, 3), 1, 1, 1),
        "dissipative_heisenberg": (Lattice.chain(3), 1),
    }
    assert set(arguments) == set(CATALOG)
    for name, values in arguments.items():
        assert str(CATALOG[name](*values)).startswith(name)
