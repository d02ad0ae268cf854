from __future__ import annotations

import itertools

import numpy as np

from trajsim.model.embedding import embed
from trajsim.model.lowering import LocalOperator
from trajsim.operators.decomposition import irreducible_parts

DIMENSIONS = (2, 3, 2, 2)


def random_operators(seed: int) -> list[tuple[tuple[int, ...], np.ndarray]]:
    rng = np.random.default_rng(seed)
    operators = []
    for k in (1, 2, 3):
        for sites in itertools.combinations(range(4), k):
            side = int(np.prod([DIMENSIONS[s] for s in sites]))
            operators.append((sites, rng.normal(size=(side, side)) + 1j * rng.normal(size=(side, side))))
    return operators


def dense(operators: list[tuple[tuple[int, ...], np.ndarray]]) -> np.ndarray:
    local = [LocalOperator(sites, matrix) for sites, matrix in operators]
    return embed(local, DIMENSIONS).toarray()


def test_parts_sum_to_the_operator() -> None:
    operators = random_operators(1)
    parts = irreducible_parts(operators, DIMENSIONS)
    np.testing.assert_allclose(dense(list(parts.items())), dense(operators), atol=1e-12)


def test_partial_traces_vanish_and_parts_are_orthogonal() -> None:
    parts = irreducible_parts(random_operators(2), DIMENSIONS)
    whole = {sites: dense([(sites, matrix)]) for sites, matrix in parts.items()}
    for first, second in itertools.combinations(whole, 2):
        assert abs(np.vdot(whole[first], whole[second])) < 1e-10


def test_parts_are_unique_however_the_operator_is_written() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 2)), rng.normal(size=(3, 3))
    one, three = np.eye(2), np.eye(3)
    # little-endian: the first site is the last factor of kron
    as_pair = [((0, 1), np.kron(b, one) + np.kron(three, a))]
    as_singles = [((1,), b), ((0,), a)]
    left, right = irreducible_parts(as_pair, DIMENSIONS), irreducible_parts(as_singles, DIMENSIONS)
    assert set(left) == set(right) == {(), (0,), (1,)}
    for support, part in left.items():
        np.testing.assert_allclose(part, right[support], atol=1e-13)


def test_what_cancels_is_gone() -> None:
    z = np.diag([-0.5, 0.5]).astype(complex)
    operators = [((0,), 0.1 * z), ((0,), 0.2 * z), ((0,), -0.3 * z)]
    assert irreducible_parts(operators, DIMENSIONS) == {}
