"""What follows from bonds alone: neighbour lists, two-colourings, graph distances (scipy.sparse.csgraph)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def _matrix(rows: Integers, columns: Integers, size: int) -> Any:
    from scipy.sparse import coo_array  # lazily: reading a campaign file must not pay for scipy

    return coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size)).tocsr()


def adjacency(bonds: Integers, n_sites: int) -> tuple[Integers, Integers]:
    """Arrays starts, targets: targets[starts[i]:starts[i + 1]] are the neighbours of site i, ascending."""
    both = np.concatenate([bonds, bonds[:, ::-1]])
    both = both[np.lexsort(both.T[::-1])]
    starts = np.searchsorted(both[:, 0], np.arange(n_sites + 1))
    return starts.astype(np.int64), both[:, 1]


def two_colouring(bonds: Integers, n_sites: int) -> Integers | None:
    """0 or 1 for every site, (N,), such that each bond joins a 0 and a 1, or None where that is impossible.

    The lowest site of every connected part gets 0.
    """
    from scipy.sparse.csgraph import connected_components

    # In the double cover (two copies of every site; a bond leads to the other copy) the two copies of a site
    # are connected exactly if it lies on a walk of odd length back to itself.
    i, j = bonds.T
    rows, columns = np.concatenate([i, i + n_sites]), np.concatenate([j + n_sites, j])
    part = connected_components(_matrix(rows, columns, 2 * n_sites), directed=False)[1]
    first, second = part[:n_sites], part[n_sites:]
    if (first == second).any():
        return None
    # A connected part of the graph makes two of the cover. The one with the first copy of its lowest site is
    # met first: it has the first copies of the sites on sublattice 0.
    met = np.unique(part, return_index=True)[1]
    colours: Integers = (met[first] > met[second]).astype(np.int64)
    return colours


def distances(bonds: Integers, n_sites: int) -> Integers:
    """Number of bonds on the shortest path between every pair, (N, N); -1 where there is none."""
    from scipy.sparse.csgraph import shortest_path

    steps = shortest_path(_matrix(bonds[:, 0], bonds[:, 1], n_sites), directed=False, unweighted=True)
    return np.where(np.isinf(steps), -1.0, steps).astype(np.int64)
