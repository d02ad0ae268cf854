"""One step of one spin: a rotation to rounding, of second order, and the same bits on lanes as on numbers."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.spatial.transform import Rotation

from trajsim.samplers.lanes import LANES, load, pointer, store
from trajsim.samplers.truncated_wigner.step import predicted, predicted_in_plane, rotated, rotated_in_plane


@njit
def on_numbers(x, y, z, tx, ty, tz):
    return rotated(x, y, z, tx, ty, tz), predicted(x, y, z, tx, ty, tz)


@njit
def in_plane(x, y, z, tx, ty):
    return rotated_in_plane(x, y, z, tx, ty), predicted_in_plane(x, y, z, tx, ty)


@njit
def on_lanes(s, t, out):
    p, q, r = pointer(s), pointer(t), pointer(out)
    x, y, z = load(p, 0), load(p, LANES), load(p, 2 * LANES)
    tx, ty, tz = load(q, 0), load(q, LANES), load(q, 2 * LANES)
    a, b, c = rotated(x, y, z, tx, ty, tz)
    store(a, r, 0)
    store(b, r, LANES)
    store(c, r, 2 * LANES)
    a, b, c = predicted(x, y, z, tx, ty, tz)
    store(a, r, 3 * LANES)
    store(b, r, 4 * LANES)
    store(c, r, 5 * LANES)


def draws(seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(3, LANES)), rng.normal(size=(3, LANES))


def test_lanes_and_numbers_have_the_same_bits():
    s, t = draws()
    out = np.zeros((6, LANES))
    on_lanes(s.ravel(), t.ravel(), out.ravel())
    for lane in range(LANES):
        np.testing.assert_array_equal(out[:, lane], np.ravel(on_numbers(*s[:, lane], *t[:, lane])))


def test_a_step_is_cayleys_rotation():
    """By the angle 2 arctan(|t| / 4) about t, whatever its length."""
    s, t = draws()
    for lane in range(LANES):
        v, theta = s[:, lane], 10.0 ** (lane % 5 - 3) * t[:, lane]
        size = np.linalg.norm(theta)
        expected = Rotation.from_rotvec(theta / size * 2 * np.arctan(size / 4)).apply(v)
        moved, ahead = (np.array(part) for part in on_numbers(*v, *theta))
        np.testing.assert_allclose(moved, expected, atol=1e-14)
        np.testing.assert_allclose(ahead, v + np.cross(theta, v), atol=1e-13 * size)
        assert abs(np.linalg.norm(moved) / np.linalg.norm(v) - 1) < 1e-15


def test_in_the_plane():
    s, t = draws(2)
    t[2] = 0
    for lane in range(LANES):
        general = on_numbers(*s[:, lane], *t[:, lane])
        np.testing.assert_allclose(in_plane(*s[:, lane], *t[:2, lane]), general, rtol=0, atol=1e-15)
