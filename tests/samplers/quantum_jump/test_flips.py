"""Operators on spins-1/2 by bit flips against sparse matrices made of Kronecker products.

Accuracy: of the largest element of the result, in units of the norms of the local operators: 1e-14 in double, 1e-6 in
single precision.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spins_half import basis, complexes, in_full, interleaved, product, size_of
from systems import random_state

from trajsim.model.lowering import LocalOperator
from trajsim.samplers import simd
from trajsim.samplers.quantum_jump.flips import (
    FlipOperators,
    flip_apply,
    flip_configuration,
    flip_size,
    flip_target,
    moves_of,
    smallest_register,
)

ACCURACY = {np.float64: 1e-14, np.float32: 1e-6}
DTYPES = pytest.mark.parametrize("dtype", ACCURACY, ids=["double", "single"])
MODULI = pytest.mark.parametrize("modulus", [1, 2], ids=["whole space", "parity"])
rng = np.random.default_rng(6)


def random_matrix(sites: int, generator: np.random.Generator = rng) -> np.ndarray:
    return generator.normal(size=(2**sites,) * 2) + 1j * generator.normal(size=(2**sites,) * 2)


def of_parity(term: LocalOperator, change: int) -> LocalOperator:
    """What changes the parity of its sites by `change`."""
    parity = np.array([c.bit_count() % 2 for c in range(len(term.matrix))])
    return LocalOperator(term.sites, np.where(parity[:, None] ^ parity[None, :] == change, term.matrix, 0))


def change_of(full: Any) -> int:
    """Of a matrix that changes the parity by one amount; 0 of zero."""
    found = {(int(row) ^ int(column)).bit_count() % 2 for row, column in zip(*full.nonzero(), strict=True)}
    return found.pop() if found else 0


def check(n: int, operators: list[list[LocalOperator]], modulus: int, dtype: type) -> None:
    """Every operator on a random vector of every sector; operator 0 with a shift as well."""
    flips = FlipOperators.build(n, operators, modulus, dtype)
    accuracy = ACCURACY[dtype]
    generator = np.random.default_rng(n)
    for number, operator in enumerate(operators):
        full, size = in_full(n, operator), size_of(operator)
        change = change_of(full) if modulus == 2 else 0
        for sector in range(modulus):
            target = flip_target(flips, number, sector)
            assert target == (sector + change) % modulus
            inside, outside = basis(n, modulus, sector), basis(n, modulus, target)
            assert flip_size(flips, sector) == len(inside)
            x = interleaved(random_state(len(inside), generator), dtype)
            before, y, unweighed = x.copy(), np.full_like(x, np.nan), np.full_like(x, np.nan)
            for shift in (0.0, 0.3 * size + 0.5) if number == 0 else (0.0,):
                wanted = full[outside][:, inside] @ complexes(x) - shift * complexes(x)
                norm2 = flip_apply(flips, number, sector, x, y, -0.7, shift, True)
                assert np.abs(complexes(y) + 0.7 * wanted).max() <= accuracy * (size + shift)
                assert norm2 == pytest.approx(np.vdot(complexes(y), complexes(y)).real, rel=1e-13)
                assert flip_apply(flips, number, sector, x, unweighed, -0.7, shift, False) == 0.0
                assert y.tobytes() == unweighed.tobytes()
            assert x.tobytes() == before.tobytes()


# what the models of the literature are made of ------------------------------------------------------------

N = 8
RING = [(i, (i + 1) % N) for i in range(N)]
PAIRS = list(itertools.combinations(range(N), 2))


def exchange(bonds, matrix):
    """sum_ab matrix[a, b] S^a_i S^b_j over bonds."""
    return [product(a + b, bond, matrix["xyz".index(a), "xyz".index(b)]) for bond in bonds for a, b in
            itertools.product("xyz", repeat=2) if matrix["xyz".index(a), "xyz".index(b)]]  # fmt: skip


def moriya(d):
    """D . (S_i x S_j)."""
    return np.array([[0, d[2], -d[1]], [-d[2], 0, d[0]], [d[1], -d[0], 0]])


DIAGONAL = np.diag([0.4, 0.7, -1.1])
EVEN = {
    "xyz ring": exchange(RING, DIAGONAL),
    "xyz, all to all": exchange(PAIRS, DIAGONAL),
    "xyz, power law": [t for i, j in PAIRS for t in exchange([(i, j)], DIAGONAL / (j - i) ** 3)],
    "field along z": [product("z", (i,), 0.3 * i) for i in range(N)],
    "Dzyaloshinskii-Moriya along z": exchange(RING, moriya((0, 0, 0.8))),
    "xy exchange": exchange(RING, np.array([[0, 0.5, 0], [0.3, 0, 0], [0, 0, 0]])),
    "three sites, chiral": [
        product(a + b + c, (i, (i + 3) % N, (i + 5) % N), sign)
        for i in range(N)
        for a, b, c, sign in (("x", "y", "z", 1.0), ("y", "x", "z", -1.0))
    ],
    "four sites": [product("+-+-", (5, 0, 2, 7), 1.5), product("-+-+", (5, 0, 2, 7), 1.5)],
    "pair jump": [product("--", (6, 1), 1.0), product("zz", (6, 1), 0.3j), product("+-", (6, 1), -0.5)],
    "dephasing": [product("z", (i,), 0.3 + 0.1j * i) for i in range(N)],
    "constant": [LocalOperator((2,), 0.7j * np.eye(2))],
    "random pairs": [of_parity(LocalOperator(pair, random_matrix(2)), 0) for pair in ((0, 1), (0, 7), (3, 6), (6, 7))],
    "random, five sites": [of_parity(LocalOperator((0, 2, 3, 6, 7), random_matrix(5)), 0)],
    "nothing": [],
    "zero": [LocalOperator((0, 5), np.zeros((4, 4), dtype=complex))],
    "what cancels": [
        product("xz", (1, 4), 0.5),
        product("x", (0,), 1.0),
        product("xz", (1, 4), -0.5),
        product("x", (0,), -1),
    ],
}
ODD = {
    "field along x": [product("x", (i,), 0.3 * i - 1) for i in range(N)],
    "field along y": [product("y", (i,), 0.3 * i - 1) for i in range(N)],
    "decay of the first site": [product("-", (0,), 0.7)],
    "pumping of the last site": [product("+", (N - 1,), 0.7j)],
    "collective decay": [product("-", (i,), 1.0) for i in range(N)],
    "collective, complex": [product("-", (i,), np.exp(0.4j * i)) for i in range(N)],
    "Dzyaloshinskii-Moriya in the plane": exchange(RING, moriya((0.8, -0.3, 0))),
    "correlated decay": [product("-z", (i, i + 1), 1.0 - 0.5j) for i in range(N - 1)],
    "random pair": [of_parity(LocalOperator((2, 7), random_matrix(2)), 1)],
    "random, one site": [of_parity(LocalOperator((0,), random_matrix(1)), 1)],
}  # fmt: skip
EITHER = {
    "field": [product(a, (i,), 0.3 * i - 1) for i in range(N) for a in "xyz"],
    "random one-site": [LocalOperator((3,), random_matrix(1))],
    "exchange of any kind": exchange(RING, random_matrix(2)[:3, :3].real),
    "measurement of x": [LocalOperator((i,), np.array([[1, 1j], [-1j, 1]]) / 2) for i in (0, 4)],
    "random, three sites": [LocalOperator((0, 1, 2), random_matrix(3)), LocalOperator((2, 4, 7), random_matrix(3))],
}


@DTYPES
@MODULI
@pytest.mark.parametrize("name", [*EVEN, *ODD])
def test_operators_of_definite_parity(name, modulus, dtype):
    operator = (EVEN | ODD)[name]
    check(N, [[] if name in ODD else operator, operator, operator], modulus, dtype)


@DTYPES
@pytest.mark.parametrize("name", EITHER)
def test_operators_of_no_parity(name, dtype):
    check(N, [EITHER[name], EITHER[name]], 1, dtype)
    with pytest.raises(ValueError, match="operator 1 changes the parity by several amounts"):
        FlipOperators.build(N, [[], EITHER[name]], 2, dtype)


@DTYPES
@MODULI
@pytest.mark.parametrize("larger", range(4))
def test_sizes(modulus, dtype, larger):
    """The smallest register fills one block; a smaller one is refused."""
    n = smallest_register(modulus, dtype) + larger
    assert (
        n == {(1, np.float64): 5, (2, np.float64): 6, (1, np.float32): 6, (2, np.float32): 7}[modulus, dtype] + larger
    )
    bonds = itertools.combinations(range(n), 2)
    operators = [
        exchange(bonds, DIAGONAL),
        [product("-", (0,))],
        [product("-", (n - 1,))],
        [product("+", (n // 2,), 1j)],
    ]
    check(n, operators, modulus, dtype)
    assert FlipOperators.build(n, operators, modulus, dtype).blocks == 2**larger
    if larger == 0:
        with pytest.raises(ValueError, match="the register must fill a block"):
            FlipOperators.build(n - 1, operators[1:2], modulus, dtype)


@MODULI
@pytest.mark.parametrize("n", [6, 7, 11])
def test_configurations(modulus, n):
    flips = FlipOperators.build(n, [[]], modulus, np.float64)
    for sector in range(modulus):
        configurations = [flip_configuration(flips, sector, k) for k in range(flip_size(flips, sector))]
        np.testing.assert_array_equal(configurations, basis(n, modulus, sector))


@pytest.mark.parametrize("k", [2**33 + 5, 2**40 - 1, 2**45 + 2**31 + 1])
def test_configurations_of_long_registers(k):
    flips = FlipOperators.build(7, [[]], 2, np.float64)
    for sector in (0, 1):
        assert flip_configuration(flips, sector, k) == 2 * k + (k.bit_count() + sector) % 2


# any operators --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Register:
    """Sums of random k-site operators on n sites. parities: None for a matrix of no definite one."""

    n: int
    operators: tuple[tuple[tuple[int, ...], ...], ...]
    changes: tuple[int, ...]
    hermitian: bool
    seed: int

    def local(self, modulus: int) -> list[list[LocalOperator]]:
        generator = np.random.default_rng(self.seed)
        found = []
        for number, operator in enumerate(self.operators):
            found.append([])
            for sites in operator:
                matrix = random_matrix(len(sites), generator)
                matrix *= generator.random(matrix.shape) < generator.choice([0.2, 1.0])  # sparse ones too
                matrix.real *= generator.random() < 0.8
                term = LocalOperator(tuple(sorted(sites)), matrix + matrix.conj().T if self.hermitian else matrix)
                change = self.changes[number] if number else 0
                found[-1].append(of_parity(term, change) if modulus == 2 else term)
        return found


@st.composite
def registers(draw):
    n = draw(st.integers(7, 9))
    sites = st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True).map(tuple)
    operators = draw(st.lists(st.lists(sites, max_size=4).map(tuple), min_size=1, max_size=3))
    changes = draw(st.lists(st.integers(0, 1), min_size=len(operators), max_size=len(operators)))
    return Register(n, tuple(operators), tuple(changes), draw(st.booleans()), draw(st.integers(0, 2**32 - 1)))


@DTYPES
@MODULI
@settings(max_examples=30)
@given(registers())
@example(Register(7, ((), ((0, 1, 2, 3, 4, 5, 6),)), (0, 1), True, 3))
@example(Register(9, (((8,), (0, 8), (0,)), ((0, 1, 2), (6, 7, 8))), (0, 1), False, 4))
def test_random_operators(modulus, dtype, register):
    check(register.n, register.local(modulus), modulus, dtype)


# moves ----------------------------------------------------------------------------------------------------


def test_terms_of_one_mask_are_one_move():
    assert sorted(move.mask for move in moves_of(EVEN["xyz ring"])) == sorted([0, *(1 << i | 1 << j for i, j in RING)])
    assert len(moves_of(exchange(PAIRS, DIAGONAL))) == 1 + len(PAIRS)
    assert moves_of(EVEN["nothing"]) == moves_of(EVEN["zero"]) == moves_of(EVEN["what cancels"]) == []
    (move,) = moves_of([product("-1", (3, 6)), product("+", (3,))])  # 2 S^x, wherever the others are
    assert (move.mask, move.sites, move.values.tolist()) == (8, (), [1.0])


@DTYPES
@MODULI
@pytest.mark.parametrize("kind", ["flips of one site", "diagonal"])
def test_weights_that_depend_on_many_sites(kind, modulus, dtype):
    """One mask, 14 sites of support: the tables of a move have at most 2^12 entries, so there are two."""
    n = 14
    if kind == "diagonal":
        operator = [product("zz", pair, 1.0 / (1 + pair[0])) for pair in itertools.combinations(range(n), 2)]
    else:
        operator = [product("-z", (6, j), 1.0 + 0.1j * j) for j in range(n) if j != 6] + [product("-", (6,))]
    assert len(moves_of(operator)) > 1
    assert len({move.mask for move in moves_of(operator)}) == 1
    check(n, [operator if kind == "diagonal" else [], operator], modulus, dtype)


@DTYPES
@MODULI
def test_a_diagonal_of_neighbours_has_few_rows(modulus, dtype):
    """Its bonds couple a block to the site above it, to the last one, and to site 0: eight rows, whatever the size."""
    n = 13
    ring = [
        *exchange([(i, (i + 1) % n) for i in range(n)], DIAGONAL),
        *(product("z", (i,), 0.3 - 0.2j * i) for i in range(n)),
    ]
    flips = FlipOperators.build(n, [ring], modulus, dtype)
    assert flips.diagonal.size <= 8 * simd.block_size(dtype) < 2 * flips.size
    check(n, [ring], modulus, dtype)
    distant = [product("zz", pair, 1.0 + pair[0]) for pair in itertools.combinations(range(n), 2)]
    assert FlipOperators.build(n, [distant], modulus, dtype).diagonal.size >= flips.size
    check(n, [distant], modulus, dtype)


@MODULI
def test_not_a_number_is_not_lost(modulus):
    # the check of the norm relies on it
    flips = FlipOperators.build(N, [EVEN["xyz ring"]], modulus, np.float64)
    for bad in (np.nan, np.inf):
        x = interleaved(np.ones(flips.size), np.float64)
        x[9] = bad
        assert not np.isfinite(flip_apply(flips, 0, 0, x, np.empty_like(x), 1.0, 0.0, True))
