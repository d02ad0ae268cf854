from __future__ import annotations

import numpy as np
import pytest

from trajsim.lattice import Lattice
from trajsim.lattice.translation_group import TranslationGroup

LATTICES = [
    Lattice.chain(5),
    Lattice.chain(6),
    Lattice.square(3, 4),
    Lattice.square(4, 4),
    Lattice.cubic(3, 3, 4),
    Lattice.tilted("square", (2, 1), (-1, 2)),
    Lattice.tilted("square", (2, 2), (-2, 2)),
    Lattice.tilted("triangular", (3, 0), (1, 4)),
    Lattice.ladder(4),
    Lattice.cylinder(2, 4),
    Lattice.complete(5),
    Lattice.chain(4, periodic=False),
]


@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
def test_it_is_an_abelian_group_of_permutations(lattice: Lattice) -> None:
    group = TranslationGroup.of(lattice)
    for g, row in enumerate(group.product):
        for h, gh in enumerate(row):
            np.testing.assert_array_equal(
                group.permutations[gh], group.permutations[g][group.permutations[h]], err_msg=f"{g} {h}"
            )
    np.testing.assert_array_equal(group.product, group.product.T)
    np.testing.assert_array_equal(group.product[np.arange(group.order), group.inverse], 0)
    assert sorted(site for orbit in group.site_orbits for site in orbit) == list(range(lattice.n_sites))
    for orbit in group.site_orbits:
        np.testing.assert_array_equal(group.permutations[:, orbit[0]], orbit)


@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
def test_characters_are_all_homomorphisms(lattice: Lattice) -> None:
    group = TranslationGroup.of(lattice)
    chi, n = group.characters, group.order
    np.testing.assert_array_equal(chi[0], 1.0)
    for g in range(n):
        np.testing.assert_allclose(chi[:, group.product[g]], chi[:, [g]] * chi, atol=1e-14)
    np.testing.assert_allclose(chi @ chi.conj().T, n * np.eye(n), atol=1e-12)
    for k in range(n):
        np.testing.assert_allclose(chi[group.momentum_sum[k]], chi[k] * chi, atol=1e-14)
    np.testing.assert_allclose(chi[group.opposite], chi.conj(), atol=1e-14)
    assert group.momentum_sum[3 % n, group.opposite[3 % n]] == 0


@pytest.mark.parametrize("lattice", [Lattice.chain(7), Lattice.square(3, 4), Lattice.cubic(3, 4, 3)], ids=repr)
def test_momenta_are_the_wave_vectors_of_the_lattice(lattice: Lattice) -> None:
    group = TranslationGroup.of(lattice)
    displacement = lattice.coordinates[group.permutations[:, 0]] - lattice.coordinates[0]
    np.testing.assert_allclose(group.characters, np.exp(1j * lattice.momenta @ displacement.T), atol=1e-13)


def test_roots_are_exact_where_they_can_be() -> None:
    roots = TranslationGroup.of(Lattice.chain(12)).roots
    np.testing.assert_array_equal(roots[[0, 3, 6, 9]], [1, 1j, -1, -1j])
    np.testing.assert_array_equal(roots[[2, 4]].real, [0.5, -0.5])
    np.testing.assert_allclose(np.abs(roots), 1.0, rtol=1e-15)
