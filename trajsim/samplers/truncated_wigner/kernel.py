r"""Truncated-Wigner trajectories in compiled code: steps of `LANES` trajectories at once, one spin after the other.

The rotation vectors are those of `generator`, the step that of `step`.
A spin is corrected as soon as those it is coupled to are predicted, so that what lies between stays in the next cache.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.lanes import LANES, align_stack, fma, item, load, pointer, splat, store, widened
from trajsim.samplers.truncated_wigner.gaussians import normal_pair
from trajsim.samplers.truncated_wigner.generator import PAIR, THIRD, WignerGenerator
from trajsim.samplers.truncated_wigner.step import predicted, predicted_in_plane, rotated, rotated_in_plane
from trajsim.samplers.vectors import aligned
from trajsim.streams import counter_hash

__all__ = ["WignerSpace", "make_space", "set_step", "sweep"]

_ROOT_HALF = np.sqrt(0.5)


class WignerSpace(NamedTuple):
    r"""Memory of `LANES` trajectories, and the generator times the step.

    spins (3N LANES,); predicted, turn (3 slots LANES,): s~ and what is known of \Theta_1 + \Theta_2. keys (2 LANES,):
    of the noise. sums (2K LANES,): of each collective jump what turns spins along Re v and along Im v; kicks: its
    noise. coefficient, field, noise: times h, h and \sqrt{h}. step (2,): h, \sqrt{h}. lengths (N LANES,): |s| at the
    start. spin (N,): S.
    """

    spins: NDArray[Any]
    predicted: NDArray[Any]
    turn: NDArray[Any]
    keys: NDArray[np.uint64]
    sums: NDArray[Any]
    kicks: NDArray[Any]
    coefficient: NDArray[Any]
    field: NDArray[Any]
    noise: NDArray[np.float32]
    step: NDArray[np.float64]
    lengths: NDArray[np.float64]
    spin: NDArray[np.float64]


def make_space(generator: WignerGenerator, lengths: NDArray[np.float64], dtype: Any) -> WignerSpace:
    """Memory for spins S of the values `lengths` (N,), in numbers of a type."""
    n, slots, jumps = len(generator.slot), generator.slots, len(generator.jump_pair)
    return WignerSpace(
        spins=aligned((3 * n * LANES,), dtype),
        predicted=aligned((3 * slots * LANES,), dtype),
        turn=aligned((3 * slots * LANES,), dtype),
        keys=aligned((2 * LANES,), np.uint64),
        sums=aligned((2 * jumps * LANES,), dtype),
        kicks=aligned((2 * jumps * LANES,), dtype),
        coefficient=aligned((len(generator.coefficient),), dtype),
        field=aligned((3 * n,), dtype),
        noise=aligned((6 * n,), np.float32),
        step=np.zeros(2),
        lengths=aligned((n * LANES,), np.float64),
        spin=np.array(lengths, dtype=np.float64),
    )


@njit(cache=True)
def set_step(generator: WignerGenerator, space: WignerSpace, h: float) -> None:
    """Scale the generator for steps of h."""
    space.step[0], space.step[1] = h, np.sqrt(h)
    coefficient, field, noise = generator.coefficient, generator.field.ravel(), generator.noise.ravel()
    for k in range(coefficient.shape[0]):
        space.coefficient[k] = coefficient[k] * h
    for k in range(field.shape[0]):
        space.field[k] = field[k] * h
    for k in range(noise.shape[0]):
        space.noise[k] = noise[k] * np.sqrt(h)


@njit(cache=True)
def _half_pair(bridge: Any, keys: Any, n: Any, sign: Any) -> Any:
    r"""(z + sign e) / \sqrt{2} of pair n, z of the whole step."""
    z0, z1 = normal_pair(counter_hash(load(keys, 0), load(keys, LANES), n))
    e0, e1 = normal_pair(counter_hash(load(bridge, 0), load(bridge, LANES), n))
    return fma(e0, sign, z0) * _ROOT_HALF, fma(e1, sign, z1) * _ROOT_HALF


def _normals(bridge: Any, keys: Any, n: Any, sign: Any) -> Any:
    raise NotImplementedError  # for kernels only


@overload(_normals, inline="always")
def _(bridge, keys, n, sign):  # type: ignore[no-untyped-def]
    r"""Pair n of normal numbers. With the keys of a bridge: those of one half of the step, (z + sign e) / \sqrt{2}."""
    if isinstance(bridge, types.NoneType):
        return lambda bridge, keys, n, sign: normal_pair(counter_hash(load(keys, 0), load(keys, LANES), n))

    return lambda bridge, keys, n, sign: _half_pair(bridge, keys, n, sign)


def _address(bridge: Any) -> Any:
    raise NotImplementedError  # for kernels only


@overload(_address)
def _(bridge):  # type: ignore[no-untyped-def]
    if isinstance(bridge, types.NoneType):
        return lambda bridge: None
    return lambda bridge: pointer(bridge)


@njit(cache=True, inline="always")
def _gathered(a: Any, spins: Any, places: Any, coefficient: Any, begin: Any, end: Any) -> Any:
    """a + sum of a row of the coupling matrix times the spins."""
    for k in range(begin, end):
        a = fma(load(spins, item(places, k)), item(coefficient, k), a)
    return a


@njit(cache=True)
def _collect(generator: WignerGenerator, space: WignerSpace, ahead: bool) -> None:
    r"""sums = kicks + h (Im L_k, -Re L_k), what multiplies Re v_{k,i} and Im v_{k,i} in \Theta_i.

    ahead: of the predicted spins.
    """
    members, jump, constant, slot = generator.members, generator.jump, generator.constant, generator.slot
    real, imaginary = generator.real, generator.imaginary
    spins, sums, kicks = pointer(space.predicted if ahead else space.spins), pointer(space.sums), pointer(space.kicks)
    h = space.step[0]
    for k in range(constant.shape[0]):
        at = 2 * k * LANES
        store(load(kicks, at) + h * constant[k, 1], sums, at)
        store(load(kicks, at + LANES) - h * constant[k, 0], sums, at + LANES)
    for i in range(slot.shape[0]):
        here = 3 * LANES * (slot[i] if ahead else i)
        for m in range(members[i], members[i + 1]):
            at = 2 * jump[m] * LANES
            p, q = load(sums, at), load(sums, at + LANES)
            for a in range(3):
                s = load(spins, here + a * LANES)
                p = fma(s, h * imaginary[m, a], p)
                q = fma(s, -h * real[m, a], q)
            store(p, sums, at)
            store(q, sums, at + LANES)


@njit(cache=True, inline="always")
def _turned(x: Any, y: Any, z: Any, sums: Any, jump: Any, real: Any, imaginary: Any, begin: Any, end: Any) -> Any:
    """(x, y, z) with what the collective jumps add to a rotation vector."""
    for m in range(begin, end):
        at = 2 * item(jump, m) * LANES
        p, q = load(sums, at), load(sums, at + LANES)
        x = fma(q, item(imaginary, 3 * m), fma(p, item(real, 3 * m), x))
        y = fma(q, item(imaginary, 3 * m + 1), fma(p, item(real, 3 * m + 1), y))
        z = fma(q, item(imaginary, 3 * m + 2), fma(p, item(real, 3 * m + 2), z))
    return x, y, z


@njit(cache=True, error_model="numpy")
def sweep(generator: WignerGenerator, space: WignerSpace, bridge: Any, first: int, count: int) -> None:
    r"""Steps first .. first + count - 1, their noise numbered so since t = 0.

    bridge: None, or the keys that divide the noise of each step between two steps of half the length (then `space` is
    set to that length): z of the whole step is (z_1 + z_2) / \sqrt{2}.
    """
    align_stack()
    order, jump_pair = generator.order, generator.jump_pair
    # addresses, because an array that is handed to a function counts references
    start, source, place = pointer(generator.start), pointer(generator.source), pointer(generator.place)
    members, jump, slot = pointer(generator.members), pointer(generator.jump), pointer(generator.slot)
    kinds, pairs = pointer(generator.kind), pointer(generator.pair)
    real, imaginary = pointer(generator.real), pointer(generator.imaginary)
    spins, moved, turn = pointer(space.spins), pointer(space.predicted), pointer(space.turn)
    coefficient, field, noise = pointer(space.coefficient), pointer(space.field), pointer(space.noise)
    keys, sums, kicks = pointer(space.keys), pointer(space.sums), pointer(space.kicks)
    halving = _address(bridge)
    root_h = space.step[1]
    collective = jump_pair.shape[0] > 0
    parts = 1 if bridge is None else 2
    for part in range(count * parts):
        step, sign = first + part // parts, 1.0 - 2.0 * (part % parts)
        at = np.uint64(step * generator.pairs)
        if collective:
            for k in range(jump_pair.shape[0]):
                z0, z1 = _normals(halving, keys, at + np.uint64(jump_pair[k]), sign)
                store(widened(kicks, z0) * root_h, kicks, 2 * k * LANES)
                store(widened(kicks, z1) * root_h, kicks, (2 * k + 1) * LANES)
            _collect(generator, space, False)
        for work in order:
            if work == 0:
                _collect(generator, space, True)
                continue
            i = abs(work) - 1
            kind = item(kinds, i)
            here, there = 3 * LANES * i, 3 * LANES * item(slot, i)
            rows = item(start, 3 * i), item(start, 3 * i + 1), item(start, 3 * i + 2), item(start, 3 * i + 3)
            if work > 0 and kind == PAIR:  # the road of chains with gain and loss, without a branch
                z0, z1 = _normals(halving, keys, at + np.uint64(item(pairs, i)), sign)
                wx = widened(spins, z0 * item(noise, 6 * i))
                wy = widened(spins, z1 * item(noise, 6 * i + 2))
                tx = _gathered(wx, spins, source, coefficient, rows[0], rows[1])
                ty = _gathered(wy, spins, source, coefficient, rows[1], rows[2])
                store(tx + wx, turn, there)
                store(ty + wy, turn, there + LANES)
                x, y, z = load(spins, here), load(spins, here + LANES), load(spins, here + 2 * LANES)
                x, y, z = predicted_in_plane(x, y, z, tx, ty)
                store(x, moved, there)
                store(y, moved, there + LANES)
                store(z, moved, there + 2 * LANES)
            elif work > 0:
                nx = ny = nz = splat(noise, 0.0)
                if kind & PAIR:
                    z0, z1 = _normals(halving, keys, at + np.uint64(item(pairs, i)), sign)
                    nx = z0 * item(noise, 6 * i)
                    ny = fma(z0, item(noise, 6 * i + 1), z1 * item(noise, 6 * i + 2))
                    nz = fma(z1, item(noise, 6 * i + 4), z0 * item(noise, 6 * i + 3))
                if kind & THIRD:
                    third = np.uint64(item(pairs, i) + (kind & PAIR))
                    z0, z1 = _normals(halving, keys, at + third, sign)
                    nz = fma(z0, item(noise, 6 * i + 5), nz)
                wx = widened(spins, nx) + item(field, 3 * i)
                wy = widened(spins, ny) + item(field, 3 * i + 1)
                wz = widened(spins, nz) + item(field, 3 * i + 2)
                tx = _gathered(wx, spins, source, coefficient, rows[0], rows[1])
                ty = _gathered(wy, spins, source, coefficient, rows[1], rows[2])
                tz = _gathered(wz, spins, source, coefficient, rows[2], rows[3])
                tx, ty, tz = _turned(tx, ty, tz, sums, jump, real, imaginary, item(members, i), item(members, i + 1))
                store(tx + wx, turn, there)
                store(ty + wy, turn, there + LANES)
                store(tz + wz, turn, there + 2 * LANES)
                x, y, z = load(spins, here), load(spins, here + LANES), load(spins, here + 2 * LANES)
                x, y, z = predicted(x, y, z, tx, ty, tz)
                store(x, moved, there)
                store(y, moved, there + LANES)
                store(z, moved, there + 2 * LANES)
            else:
                tx = _gathered(load(turn, there), moved, place, coefficient, rows[0], rows[1])
                ty = _gathered(load(turn, there + LANES), moved, place, coefficient, rows[1], rows[2])
                x, y, z = load(spins, here), load(spins, here + LANES), load(spins, here + 2 * LANES)
                if kind == PAIR:
                    x, y, z = rotated_in_plane(x, y, z, tx, ty)
                else:
                    tz = _gathered(load(turn, there + 2 * LANES), moved, place, coefficient, rows[2], rows[3])
                    tx, ty, tz = _turned(
                        tx, ty, tz, sums, jump, real, imaginary, item(members, i), item(members, i + 1)
                    )
                    x, y, z = rotated(x, y, z, tx, ty, tz)
                store(x, spins, here)
                store(y, spins, here + LANES)
                store(z, spins, here + 2 * LANES)


renew(globals())
