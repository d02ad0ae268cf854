"""Local operators as sparse matrices on the whole Hilbert space: for small systems, references and tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import matmul
from typing import Any

import numpy as np

from trajsim.errors import UnsupportedError
from trajsim.model.local_operators import LocalOperator, LocalPolynomial
from trajsim.operators import polynomials

__all__ = ["embed"]

LARGEST = 2**26


def embed(operators: Iterable[LocalOperator], dimensions: Sequence[int]) -> Any:
    """Sum of local operators as a scipy csr_array (D, D), D the product of the dimensions.

    Raises UnsupportedError beyond 2^26 states.

    Basis as everywhere in trajsim: site 0 is the lowest digit, index = sum_j digit_j prod_{i<j} d_i.
    """
    from scipy.sparse import csr_array

    size = math.prod(dimensions)
    if size > LARGEST:
        raise UnsupportedError(
            f"`model` must have at most {LARGEST} basis states to be written as one matrix, but it has "
            f"2^{math.log2(size):.4g}"
        )
    strides = np.cumprod([1, *dimensions[:-1]])
    states = np.arange(size)
    total = csr_array((size, size), dtype=np.complex128)
    for operator in operators:
        if isinstance(operator, LocalPolynomial):
            total = total + _polynomial(operator, dimensions)
            continue
        # the local index of every state, and how far each local state lies from local state 0
        local = np.zeros(size, dtype=np.int64)
        offset = np.zeros(1, dtype=np.int64)
        width = 1
        for site in operator.sites:
            local += width * ((states // strides[site]) % dimensions[site])
            offset = (np.arange(dimensions[site])[:, None] * strides[site] + offset).ravel()
            width *= dimensions[site]
        rest = states - offset[local]
        elements = operator.matrix[:, local]
        rows = rest[None, :] + offset[:, None]
        keep = elements != 0
        columns = np.broadcast_to(states, elements.shape)
        total = total + csr_array((elements[keep], (rows[keep], columns[keep])), shape=(size, size))
    return total


def _polynomial(operator: LocalPolynomial, dimensions: Sequence[int]) -> Any:
    """Term by term, each a product of operators on one site: there is no matrix on all of its sites."""
    from scipy.sparse import csr_array

    size = math.prod(dimensions)
    total = csr_array((size, size), dtype=np.complex128)
    local = [dimensions[site] for site in operator.sites]
    for value, matrices in polynomials.products(operator.coefficients, local):
        factors = [embed([LocalOperator((s,), m)], dimensions) for s, m in zip(operator.sites, matrices, strict=True)]
        total = total + value * reduce(matmul, factors)
    return total
