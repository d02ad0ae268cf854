from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.lattice.periodic import PeriodicBox


def forall(*strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        return settings(deadline=None, max_examples=60, derandomize=True)(given(*strategies)(test))

    return decorate


lengths = st.integers(3, 7)
component = st.integers(-6, 6)
vectors = st.tuples(component, component)


@st.composite
def tilted_lattices(draw: st.DrawFn) -> Lattice:
    kind = draw(st.sampled_from(["square", "triangular"]))
    a, b = draw(vectors), draw(vectors)
    try:
        return Lattice.tilted(kind, a, b)
    except InputError:
        assume(False)
        raise


@st.composite
def box_lattices(draw: st.DrawFn) -> Lattice:
    kind = draw(st.sampled_from(["chain", "ladder", "square", "triangular", "cubic", "cylinder"]))
    periodic = [draw(st.booleans()) for _ in range(3)]
    sizes = [draw(st.integers(3 if wraps else 1, 4 if kind == "cubic" else 6)) for wraps in periodic]
    if kind in ("chain", "ladder"):
        return getattr(Lattice, kind)(sizes[0], periodic[0])
    if kind == "cylinder":
        return Lattice.cylinder(sizes[0], max(sizes[1], 3))
    if kind == "cubic":
        return Lattice.cubic(*sizes, periodic)
    return getattr(Lattice, kind)(*sizes[:2], periodic[:2])


@st.composite
def edge_lists(draw: st.DrawFn) -> Lattice:
    n = draw(st.integers(1, 9))
    every = [(i, j) for i in range(n) for j in range(i)]
    chosen = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    return Lattice.from_edges(n, [edge[::-1] if draw(st.booleans()) else edge for edge in chosen])


periodic_lattices = st.one_of(
    st.builds(Lattice.chain, lengths),
    st.builds(Lattice.square, lengths, lengths),
    st.builds(Lattice.triangular, lengths, lengths),
    st.builds(Lattice.cubic, st.integers(3, 4), st.integers(3, 4), st.integers(3, 4)),
    tilted_lattices(),
)
geometric_lattices = st.one_of(box_lattices(), tilted_lattices())
lattices = st.one_of(geometric_lattices, edge_lists(), st.builds(Lattice.complete, st.integers(2, 9)))


def unordered(bonds: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(bond) for bond in bonds.tolist()}


# Bonds


@forall(lattices)
def test_every_bond_once(lattice: Lattice) -> None:
    assert lattice.bonds.dtype == np.int64
    assert lattice.bonds.shape == (lattice.n_bonds, 2)
    assert ((lattice.bonds >= 0) & (lattice.bonds < lattice.n_sites)).all()
    assert (lattice.bonds[:, 0] != lattice.bonds[:, 1]).all()
    assert len(unordered(lattice.bonds)) == lattice.n_bonds


@forall(periodic_lattices)
def test_degree_is_coordination_on_periodic_lattices(lattice: Lattice) -> None:
    degrees = np.bincount(lattice.bonds.ravel(), minlength=lattice.n_sites)
    assert (degrees == lattice.coordination).all()


@forall(geometric_lattices)
def test_bonds_join_exactly_the_pairs_at_distance_one(lattice: Lattice) -> None:
    pairs = np.argwhere(np.isclose(lattice.distances, 1.0))
    assert unordered(lattice.bonds) == unordered(pairs)


@forall(lattices)
def test_neighbours_are_the_other_ends_of_the_bonds(lattice: Lattice) -> None:
    for site in range(lattice.n_sites):
        around = {next(iter(bond - {site})) for bond in unordered(lattice.bonds) if site in bond}
        assert lattice.neighbours(site).tolist() == sorted(around)


@pytest.mark.parametrize(
    ("lattice", "n_sites", "n_bonds", "coordination"),
    [
        (Lattice.chain(8), 8, 8, 2),
        (Lattice.chain(8, periodic=False), 8, 7, 2),
        (Lattice.chain(1, periodic=False), 1, 0, 2),
        (Lattice.ladder(4), 8, 12, 3),
        (Lattice.ladder(4, periodic=False), 8, 10, 3),
        (Lattice.square(4, 3), 12, 24, 4),
        (Lattice.square(4, 2, periodic=(True, False)), 8, 12, 4),
        (Lattice.cylinder(4, 3), 12, 21, 4),
        (Lattice.triangular(4, 3), 12, 36, 6),
        (Lattice.triangular(2, 2, periodic=False), 4, 5, 6),
        (Lattice.cubic(3, 4, 5), 60, 180, 6),
        (Lattice.tilted("square", (2, 2), (-2, 2)), 8, 16, 4),
        (Lattice.tilted("square", (3, 1), (-1, 3)), 10, 20, 4),
        (Lattice.tilted("triangular", (1, 2), (-2, 3)), 7, 21, 6),
        (Lattice.complete(10), 10, 45, 9),
        (Lattice.from_edges(4, [(2, 0), (2, 1), (2, 3)]), 4, 3, 3),
        (Lattice.from_edges(3, []), 3, 0, 0),
    ],
    ids=repr,
)
def test_counts(lattice: Lattice, n_sites: int, n_bonds: int, coordination: int) -> None:
    assert (lattice.n_sites, lattice.n_bonds, lattice.coordination) == (n_sites, n_bonds, coordination)
    assert lattice.displacement_index.shape == (n_sites, n_sites)


def test_bonds_are_ordered_along_the_primitive_vectors() -> None:
    assert Lattice.chain(4).bonds.tolist() == [[0, 1], [1, 2], [2, 3], [3, 0]]
    rungs_and_legs = [[0, 1], [0, 2], [1, 3], [2, 3], [2, 4], [3, 5], [4, 5]]
    assert Lattice.ladder(3, periodic=False).bonds.tolist() == rungs_and_legs
    assert Lattice.square(3, 3).bonds[:4].tolist() == [[0, 1], [0, 3], [1, 2], [1, 4]]
    assert Lattice.from_edges(3, [(2, 1), (0, 2)]).bonds.tolist() == [[2, 1], [0, 2]]


@forall(lattices)
def test_sublattices_colour_the_bonds_unless_an_odd_loop_forbids_it(lattice: Lattice) -> None:
    adjacency = np.zeros((lattice.n_sites, lattice.n_sites))
    adjacency[tuple(lattice.bonds.T)] = 1.0
    spectrum = np.linalg.eigvalsh(adjacency + adjacency.T)
    colours = lattice.sublattices()
    # a graph is bipartite exactly if the spectrum of its adjacency matrix is symmetric about zero
    assert (colours is not None) == np.allclose(spectrum, -spectrum[::-1], atol=1e-9)
    if colours is not None:
        assert set(colours.tolist()) <= {0, 1}
        assert (colours[lattice.bonds[:, 0]] != colours[lattice.bonds[:, 1]]).all()
        assert colours[0] == 0


def test_each_connected_part_starts_on_sublattice_zero() -> None:
    colours = Lattice.from_edges(6, [(4, 1), (2, 5), (5, 4)]).sublattices()
    assert colours is not None
    assert colours.tolist() == [0, 0, 1, 0, 1, 0]


# Displacements


@forall(geometric_lattices)
def test_displacement_leads_from_i_to_j(lattice: Lattice) -> None:
    assert lattice.box is not None
    between = lattice.displacements[lattice.displacement_index]
    ends = lattice.box.index(lattice.coordinates[:, None, :] + between)
    assert (ends == np.arange(lattice.n_sites)).all()


@forall(geometric_lattices)
def test_displacements_are_antisymmetric_up_to_periods(lattice: Lattice) -> None:
    assert lattice.box is not None
    there = lattice.displacements[lattice.displacement_index]
    reversed_image = lattice.box.shortest_images(-there.reshape(-1, there.shape[-1])).reshape(there.shape)
    assert np.array_equal(np.swapaxes(there, 0, 1), reversed_image)


@forall(lattices)
def test_displacement_bookkeeping(lattice: Lattice) -> None:
    rows, index, counts = lattice.displacements, lattice.displacement_index, lattice.displacement_counts
    assert (rows[0] == 0).all()
    assert ((index == 0) == np.eye(lattice.n_sites, dtype=bool)).all()
    assert counts[0] == lattice.n_sites
    assert counts.sum() == lattice.n_sites**2
    assert (counts > 0).all()
    assert len(counts) == len(rows) == len(set(map(tuple, rows.tolist())))
    assert len(set(lattice.displacement_labels)) == len(rows)
    assert np.array_equal(lattice.lengths, np.sort(lattice.lengths))
    assert np.array_equal(lattice.distances, lattice.lengths[index])
    assert np.array_equal(lattice.distances, lattice.distances.T)


@forall(periodic_lattices)
def test_fully_periodic_lattices_have_one_displacement_for_each_site(lattice: Lattice) -> None:
    assert (lattice.displacement_counts == lattice.n_sites).all()
    assert len(lattice.displacements) == lattice.n_sites


@forall(geometric_lattices)
def test_distances_are_the_shortest_over_many_images(lattice: Lattice) -> None:
    assume(lattice.n_sites <= 40)
    assert lattice.box is not None
    box = lattice.box
    # periods in Hermite form may be long and slanted: within these distances lies every image that matters
    reach = 1 if box.dim == 3 else 40
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * box.dim, indexing="ij"), axis=-1)
    images = np.unique(steps.reshape(-1, box.dim) @ box.periods, axis=0) @ box.basis
    images = images[np.linalg.norm(images, axis=1) <= 60.0]
    from_site_zero = np.linalg.norm(lattice.positions[:, None, :] - lattice.positions[0] + images, axis=-1)
    assert np.allclose(lattice.distances[0], from_site_zero.min(axis=1), atol=1e-12)


@pytest.mark.parametrize("length", range(3, 12))
def test_ring_displacements_follow_the_stated_range(length: int) -> None:
    ring = Lattice.chain(length)
    i, j = np.indices((length, length))
    expected = (j - i) % length
    expected = np.where(expected > length // 2, expected - length, expected)
    assert np.array_equal(ring.displacements[ring.displacement_index][..., 0], expected)
    assert sorted(ring.displacements[:, 0]) == list(range(-((length - 1) // 2), length // 2 + 1))


def test_rectangles_wrap_each_component_by_itself() -> None:
    lattice = Lattice.square(4, 6)
    between = lattice.displacements[lattice.displacement_index]
    for axis, length in enumerate((4, 6)):
        raw = (lattice.coordinates[None, :, axis] - lattice.coordinates[:, None, axis]) % length
        assert np.array_equal(between[..., axis], np.where(raw > length // 2, raw - length, raw))


def test_labels() -> None:
    assert Lattice.chain(4).displacement_labels == ["0", "1", "-1", "2"]
    assert Lattice.square(3, 3).displacement_labels[:5] == ["(0,0)", "(1,0)", "(0,1)", "(0,-1)", "(-1,0)"]
    assert Lattice.cubic(3, 3, 3).displacement_labels[0] == "(0,0,0)"
    assert Lattice.complete(5).displacement_labels == ["0", "1"]


def test_triangular_lengths_are_cartesian() -> None:
    lattice = Lattice.triangular(6, 6)
    length = dict(zip(lattice.displacement_labels, lattice.lengths.tolist(), strict=True))
    assert length["(1,-1)"] == length["(-1,1)"] == 1.0
    assert length["(1,1)"] == np.sqrt(3.0)
    assert length["(2,0)"] == 2.0


def test_graphs_count_steps_and_mark_what_is_not_connected() -> None:
    parts = Lattice.from_edges(5, [(0, 1), (2, 1), (4, 3)])
    assert parts.displacements[:, 0].tolist() == [0, 1, 2, -1]
    assert parts.lengths.tolist() == [0.0, 1.0, 2.0, np.inf]
    assert parts.displacements[parts.displacement_index[0], 0].tolist() == [0, 1, 2, -1, -1]
    assert parts.displacement_counts.tolist() == [5, 6, 2, 12]
    complete = Lattice.complete(4)
    spelled_out = Lattice.from_edges(4, complete.bonds.tolist())
    assert np.array_equal(complete.displacement_index, spelled_out.displacement_index)
    assert np.array_equal(complete.distances, 1.0 - np.eye(4))


# Translations and wave vectors


@forall(lattices)
def test_translations_are_an_abelian_group_that_keeps_bonds_and_displacements(lattice: Lattice) -> None:
    group = lattice.translations
    assert np.array_equal(group[0], np.arange(lattice.n_sites))
    assert (np.sort(group, axis=1) == np.arange(lattice.n_sites)).all()
    elements = set(map(tuple, group.tolist()))
    assert len(elements) == len(group)
    for element in group:
        moved = element[lattice.bonds]
        assert unordered(moved) == unordered(lattice.bonds)
        if lattice.kind != "complete":  # its bonds have no direction to keep
            assert set(map(tuple, moved.tolist())) == set(map(tuple, lattice.bonds.tolist()))
        assert np.array_equal(lattice.displacement_index[np.ix_(element, element)], lattice.displacement_index)
    for element in group[:: max(1, len(group) // 5)]:
        assert set(map(tuple, group[:, element].tolist())) == elements
        assert np.array_equal(group[:, element], element[group])


@forall(periodic_lattices)
def test_one_translation_leads_from_any_site_to_any_other(lattice: Lattice) -> None:
    assert lattice.translations.shape == (lattice.n_sites, lattice.n_sites)
    reached = np.sort(lattice.translations, axis=0).T
    assert (reached == np.arange(lattice.n_sites)).all()


def test_number_of_translations() -> None:
    assert len(Lattice.chain(5, periodic=False).translations) == 1
    assert len(Lattice.cylinder(3, 5).translations) == 5
    assert len(Lattice.ladder(5).translations) == 5
    assert len(Lattice.complete(6).translations) == 6
    assert len(Lattice.from_edges(3, [(0, 1), (1, 2), (2, 0)]).translations) == 1


@forall(periodic_lattices)
def test_wave_vectors_are_orthogonal_characters(lattice: Lattice) -> None:
    k, n = lattice.momenta, lattice.n_sites
    assert k.shape == (n, lattice.displacements.shape[1])
    assert (k[0] == 0.0).all()
    assert ((k > -np.pi) & (k <= np.pi)).all()
    phases = np.exp(1j * lattice.coordinates @ k.T)
    assert np.allclose(phases.sum(axis=0), n * (np.arange(n) == 0), atol=1e-9 * n)
    assert np.allclose(phases.conj().T @ phases, n * np.eye(n), atol=1e-9 * n)
    # the shortest image has the phase of the plain difference of coordinates
    relative = np.exp(1j * lattice.displacements[lattice.displacement_index] @ k.T)
    assert np.allclose(relative, phases[None, :, :] * phases.conj()[:, None, :], atol=1e-9)


@pytest.mark.parametrize(
    "lattice",
    [Lattice.chain(4, periodic=False), Lattice.cylinder(3, 3), Lattice.ladder(4), Lattice.complete(4)],
    ids=lambda lattice: lattice.kind,
)
def test_no_wave_vectors_without_full_periodicity(lattice: Lattice) -> None:
    with pytest.raises(UnsupportedError, match=r"`lattice` must be .* to have wave vectors, but"):
        _ = lattice.momenta


@pytest.mark.parametrize("what", ["positions", "coordinates", "momenta"])
def test_graphs_have_no_geometry(what: str) -> None:
    with pytest.raises(UnsupportedError, match="'complete'"):
        getattr(Lattice.complete(3), what)
    with pytest.raises(UnsupportedError, match="'edges'"):
        getattr(Lattice.from_edges(2, [(0, 1)]), what)


# Tilted clusters


@forall(lengths, lengths, st.sampled_from(["square", "triangular"]))
def test_upright_parallelogram_is_the_rectangle(lx: int, ly: int, kind: str) -> None:
    upright = getattr(Lattice, kind)(lx, ly)
    for a, b in [((lx, 0), (0, ly)), ((0, ly), (lx, 0)), ((-lx, 0), (lx, ly)), ((lx, -ly), (0, ly))]:
        cluster = Lattice.tilted(kind, a, b)
        assert cluster == upright
        assert hash(cluster) == hash(upright)
        assert np.array_equal(cluster.bonds, upright.bonds)
        assert np.array_equal(cluster.displacements, upright.displacements)


@forall(vectors, vectors, st.integers(-3, 3))
def test_hermite_form_spans_the_given_periods(a: tuple[int, int], b: tuple[int, int], mix: int) -> None:
    area = abs(a[0] * b[1] - a[1] * b[0])
    assume(area)
    box = PeriodicBox.spanned(a, b, "square")
    assert box.n_points == area
    assert 0 <= box.tilt < box.shape[0]
    assert (box.index(np.array([a, b, (0, 0)])) == 0).all()
    assert np.array_equal(box.index(box.points()), np.arange(area))
    assert PeriodicBox.spanned(b, (a[0] + mix * b[0], a[1] + mix * b[1]), "square") == box


@forall(vectors, vectors, st.sampled_from(["square", "triangular"]))
def test_a_cluster_is_refused_exactly_where_bonds_coincide(a: tuple[int, int], b: tuple[int, int], kind: str) -> None:
    area = a[0] * b[1] - a[1] * b[0]
    assume(area)
    around = [(1, 0), (0, 1), (-1, 0), (0, -1), (-1, 1), (1, -1)][: 4 if kind == "square" else 6]

    def is_period(x: int, y: int) -> bool:  # Cramer's rule in integers
        return (x * b[1] - y * b[0]) % area == 0 and (a[0] * y - a[1] * x) % area == 0

    own_neighbour = any(is_period(*v) for v in around)
    if own_neighbour or any(is_period(u[0] - v[0], u[1] - v[1]) for u in around for v in around if u != v):
        with pytest.raises(InputError, match="its own neighbour" if own_neighbour else "appear twice"):
            Lattice.tilted(kind, a, b)
    else:
        assert Lattice.tilted(kind, a, b).n_sites == abs(area)


# Identity


@forall(lattices)
def test_tables_round_trip(lattice: Lattice) -> None:
    spec = lattice.to_spec()
    again = Lattice.from_spec(json.loads(json.dumps(spec)))
    assert again == lattice
    assert hash(again) == hash(lattice)
    assert again.to_spec() == spec
    assert repr(lattice) == f"Lattice.from_spec({spec})"


@forall(lattices)
def test_pickle_keeps_content_and_leaves_computed_arrays_behind(lattice: Lattice) -> None:
    _ = lattice.bonds, lattice.displacements
    again = pickle.loads(pickle.dumps(lattice))
    assert again == lattice
    assert "bonds" not in vars(again)
    assert np.array_equal(again.bonds, lattice.bonds)


@forall(lattices)
def test_arrays_are_read_only_and_the_lattice_is_frozen(lattice: Lattice) -> None:
    names = ["bonds", "displacements", "displacement_index", "displacement_counts", "lengths", "distances"]
    names += ["translations"] + ([] if lattice.box is None else ["positions", "coordinates"])
    assert not any(getattr(lattice, name).flags.writeable for name in names)
    assert not lattice.neighbours(0).flags.writeable
    with pytest.raises(AttributeError):
        lattice.n_sites = 3  # type: ignore[misc]


def test_different_lattices_are_unequal() -> None:
    different = [
        Lattice.chain(6),
        Lattice.chain(6, periodic=False),
        Lattice.complete(6),
        Lattice.ladder(3),
        Lattice.square(3, 3),
        Lattice.triangular(3, 3),
        Lattice.square(3, 3, periodic=(True, False)),
        Lattice.cylinder(3, 3),
        Lattice.tilted("square", (3, 0), (1, 3)),
        Lattice.from_edges(6, [(0, 1)]),
        Lattice.from_edges(6, [(1, 0)]),
    ]
    assert len(set(different)) == len(different)


# Cost


@pytest.mark.parametrize(
    "lattice",
    [
        Lattice.complete(1000),
        Lattice.square(32, 32),
        Lattice.cubic(10, 10, 10),
        Lattice.tilted("triangular", (31, 5), (-3, 32)),
        Lattice.from_edges(1000, [(i, i + 1) for i in range(999)]),
    ],
    ids=lambda lattice: lattice.kind,
)
def test_a_thousand_sites_are_instant(lattice: Lattice) -> None:
    start = time.perf_counter()
    _ = lattice.bonds, lattice.distances, lattice.displacement_counts, lattice.translations
    assert time.perf_counter() - start < 5.0  # a tenth of a second; only loops over pairs in Python take longer


def test_reading_a_table_imports_neither_scipy_nor_numba() -> None:
    code = (
        "import sys; from trajsim.lattice import Lattice;"
        "Lattice.from_spec({'kind': 'chain', 'length': 8}).displacement_index;"
        "print([name for name in ('scipy', 'numba', 'xarray') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
