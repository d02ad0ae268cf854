r"""A model as rotation vectors of classical spins: the truncated Wigner equations of Schwinger bosons.

With H and the jumps L_k = l_k + \sum_i v_{k,i} . S_i (the root of the rate included) of `spin_form`,

    d\Theta_i = [ h_i + \sum_j J_ij s_j + 2 q_i s_i - \sum_k Im(L_k^* v_{k,i}) ] dt
                + \sum_k ( Re v_{k,i} o dW_{k,1} + Im v_{k,i} o dW_{k,2} ) ,         L_k(s) = l_k + \sum_i v_{k,i} . s_i

in the positive-diffusion approximation (Huber, Kirton, Rabl, PRA 102, 012219 (2020), Sec. IV and App. C). Everything
but the L_k of jumps on several sites is linear in few spins: \Theta_i dt = (h_i + \sum_j A_ij s_j) dt + R_i dW_i with

    A_ij = J_ij (of i, j),  A_ii = 2 q_i + \sum_k (Re v_k Im v_k^T - Im v_k Re v_k^T),
    R_i R_i^T = \sum_k (Re v_k Re v_k^T + Im v_k Im v_k^T)        (k: the jumps on site i alone) ,

R_i lower triangular: the jumps of a site share at most three normal numbers, whatever their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.samplers.lanes import LANES

if TYPE_CHECKING:
    from trajsim.model.spin_polynomials import SpinForm

__all__ = ["GENERAL", "PAIR", "THIRD", "WignerGenerator", "lower_wigner", "rotation_rate"]

# bits of the kind of a site
PAIR: Final = 1  # two normal numbers a step turn it
THIRD: Final = 2  # a third one
GENERAL: Final = 4  # its rotation vector has a z component, a field, or noise along x and y that is correlated


class WignerGenerator(NamedTuple):
    r"""Rotation vectors as the kernel reads them. Offsets are in numbers: spin i, component a at (3 i + a) LANES.

    order: of a step's work, i + 1 predicts spin i, -(i + 1) corrects it, 0 sums the L_k of the predicted spins. slot
    (N,): where the predicted spin is kept. start (3N + 1,), source, place, coefficient: rows of A; the offset of s_j
    among the spins and among the predicted ones. field (N, 3). kind (N,), pair (N,): kind of a site and number of its
    first pair of normal numbers in a step; noise (N, 6): R_xx, R_yx, R_yy, R_zx, R_zy, R_zz.
    members (N + 1,), jump, real, imaginary: collective jumps of each site; jump_pair (K,): their pairs of normal
    numbers; constant (K, 2): l_k. pairs: of normal numbers in a step.
    """

    order: NDArray[np.int64]
    slot: NDArray[np.int64]
    start: NDArray[np.int64]
    source: NDArray[np.int64]
    place: NDArray[np.int64]
    coefficient: NDArray[np.float64]
    field: NDArray[np.float64]
    kind: NDArray[np.int64]
    pair: NDArray[np.int64]
    noise: NDArray[np.float64]
    members: NDArray[np.int64]
    jump: NDArray[np.int64]
    real: NDArray[np.float64]
    imaginary: NDArray[np.float64]
    jump_pair: NDArray[np.int64]
    constant: NDArray[np.float64]
    pairs: int

    @property
    def slots(self) -> int:
        """Predicted spins that are kept at once."""
        return int(self.slot.max()) + 1


def lower_wigner(form: SpinForm) -> WignerGenerator:
    """Arrays of the kernel."""
    blocks, field, diffusion = _local(form)
    row, column, coefficient = _entries(*blocks)
    n = len(form.spins)
    collective = [jump for jump in form.jumps if len(jump.sites) > 1]
    owner = np.array([site for jump in collective for site in jump.sites], dtype=np.int64)
    number = np.array([k for k, jump in enumerate(collective) for _ in jump.sites], dtype=np.int64)
    vectors = np.concatenate([np.zeros((0, 3), dtype=complex), *(jump.vectors for jump in collective)])
    by_site = np.argsort(owner, kind="stable")
    members = np.searchsorted(owner[by_site], np.arange(n + 1))
    noise = np.array([_triangular(d) for d in diffusion]).reshape(n, 6)
    rows = np.searchsorted(row, np.arange(3 * n + 1))
    out = (np.diff(rows)[2::3] > 0) | noise[:, 3:].any(axis=1) | (np.diff(members) > 0)
    general = out | field.any(axis=1) | (noise[:, 1] != 0)
    kind = PAIR * noise[:, :5].any(axis=1) + THIRD * (noise[:, 5] != 0) + GENERAL * general
    drawn = noise[:, :5].any(axis=1) + (noise[:, 5] != 0).astype(np.int64)
    first = np.cumsum(drawn) - drawn
    order, slot = _schedule(n, row // 3, column // 3) if not collective else _all_at_once(n)
    return WignerGenerator(
        order=order,
        slot=slot,
        start=rows.astype(np.int64),
        source=column * LANES,
        place=(3 * slot[column // 3] + column % 3) * LANES,
        coefficient=coefficient,
        field=field,
        kind=kind.astype(np.int64),
        pair=first.astype(np.int64),
        noise=noise,
        members=members.astype(np.int64),
        jump=number[by_site],
        real=np.ascontiguousarray(vectors.real[by_site]),
        imaginary=np.ascontiguousarray(vectors.imag[by_site]),
        jump_pair=int(drawn.sum()) + np.arange(len(collective), dtype=np.int64),
        constant=np.array([(j.constant.real, j.constant.imag) for j in collective], dtype=np.float64).reshape(-1, 2),
        pairs=int(drawn.sum()) + len(collective),
    )


def _local(form: SpinForm) -> tuple[tuple[Any, Any, Any], NDArray[np.float64], NDArray[np.float64]]:
    """Blocks (i, j, A_ij), fields, and R_i R_i^T, without the jumps on several sites."""
    field, own = form.fields.copy(), 2.0 * form.quadratic
    diffusion = np.zeros_like(own)
    for jump in form.jumps:
        if len(jump.sites) == 1:
            site, v = int(jump.sites[0]), jump.vectors[0]
            own[site] += np.outer(v.real, v.imag) - np.outer(v.imag, v.real)
            diffusion[site] += np.outer(v.real, v.real) + np.outer(v.imag, v.imag)
            field[site] -= (np.conj(jump.constant) * v).imag
    i, j = form.pairs.T
    here = np.arange(len(own))
    blocks = np.concatenate([form.couplings, form.couplings.transpose(0, 2, 1), own])
    return (np.concatenate([i, j, here]), np.concatenate([j, i, here]), blocks), field, diffusion


def _entries(i: Any, j: Any, blocks: Any) -> tuple[Any, Any, Any]:
    """Rows 3 i + a, columns 3 j + b and values of the nonzero elements, by rows."""
    block, a, b = np.nonzero(blocks)
    row, column = 3 * i[block] + a, 3 * j[block] + b
    by_row = np.lexsort((column, row))
    return row[by_row], column[by_row], blocks[block, a, b][by_row]


def _triangular(d: NDArray[np.float64]) -> list[float]:
    """R_xx, R_yx, R_yy, R_zx, R_zy, R_zz of a positive semidefinite R R^T = d; columns of zero pivots are zero."""
    rest, columns = d.copy(), np.zeros((3, 3))
    for k in range(3):
        if rest[k, k] > 1e-14 * np.trace(d):
            columns[:, k] = rest[:, k] / np.sqrt(rest[k, k])
            rest -= np.outer(columns[:, k], columns[:, k])
    return [float(columns[a, b]) for a in range(3) for b in range(a + 1)]


def _schedule(n: int, row: NDArray[np.int64], column: NDArray[np.int64]) -> tuple[Any, Any]:
    """Correct each spin as soon as all spins that it is coupled to are predicted: predicted spins stay in the cache."""
    others: list[set[int]] = [{site} for site in range(n)]
    for i, j in zip(row.tolist(), column.tolist(), strict=True):
        others[i].add(j)
        others[j].add(i)
    waiting = [len(each) for each in others]  # for predictions
    using = list(waiting)  # corrections that are to come and read the predicted spin
    order, slot, free = [], np.zeros(n, dtype=np.int64), list[int]()
    top = 0
    for site in range(n):
        if free:
            slot[site] = free.pop()
        else:
            slot[site], top = top, top + 1
        order.append(site + 1)
        ready = []
        for other in others[site]:
            waiting[other] -= 1
            if waiting[other] == 0:
                ready.append(other)
        for i in sorted(ready):
            order.append(-(i + 1))
            for j in others[i]:
                using[j] -= 1
                if using[j] == 0:
                    free.append(int(slot[j]))
    return np.array(order, dtype=np.int64), slot


def _all_at_once(n: int) -> tuple[Any, Any]:
    """Collective jumps: all spins are predicted before one is corrected."""
    sites = np.arange(n, dtype=np.int64)
    return np.concatenate([sites + 1, [0], -(sites + 1)]), sites


def rotation_rate(form: SpinForm) -> float:
    r"""Largest angle per unit time by which a spin may be turned: a bound of |h_i + \sum_j A_ij s_j| plus half the
    trace of its diffusion matrix, at |s_j| = S_j + 1/2.
    """
    (i, j, blocks), field, diffusion = _local(form)
    length = form.spins + 0.5
    rates = np.linalg.norm(field, axis=1) + 0.5 * np.trace(diffusion, axis1=1, axis2=2)
    np.add.at(rates, i, np.linalg.norm(blocks, ord=2, axis=(1, 2)) * length[j])
    for jump in form.jumps:
        if len(jump.sites) > 1:
            sizes = np.linalg.norm(jump.vectors, axis=1)
            rates[jump.sites] += sizes * (abs(jump.constant) + sizes @ length[jump.sites]) + 0.5 * sizes**2
    return float(rates.max())
