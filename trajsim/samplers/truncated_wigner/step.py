r"""The physics of one step of one spin: a rotation, the same on numbers and on lanes of trajectories.

    d s = d\Theta x s     (Stratonovich),    |s| constant

with the rotation vector \Theta of `generator`. A step of Heun's method on the rotation group:

    \Theta_1 = \Theta(s) ,     s~ = s + \Theta_1 x s ,     \Theta_2 = \Theta(s~)   (the same noise)
    s' = s + 2 / (1 + q^2) [q x s + q x (q x s)] ,   q = (\Theta_1 + \Theta_2) / 4 ,

the last line being Cayley's rotation by about |\Theta_1 + \Theta_2| / 2, which keeps |s| for any step to rounding.
Deterministic order 2; weak error O(h^2) + O(h / S).
"""

from __future__ import annotations

from typing import Any

from numba import njit

from trajsim.kernel_cache import renew
from trajsim.samplers.lanes import fma, negative

__all__ = ["predicted", "predicted_in_plane", "rotated", "rotated_in_plane"]


@njit(cache=True, inline="always")
def predicted(x: Any, y: Any, z: Any, tx: Any, ty: Any, tz: Any) -> Any:
    """s + t x s."""
    return (
        fma(ty, z, fma(negative(tz), y, x)),
        fma(tz, x, fma(negative(tx), z, y)),
        fma(tx, y, fma(negative(ty), x, z)),
    )


@njit(cache=True, inline="always")
def predicted_in_plane(x: Any, y: Any, z: Any, tx: Any, ty: Any) -> Any:
    """As `predicted` where t_z = 0."""
    return fma(ty, z, x), fma(negative(tx), z, y), fma(tx, y, fma(negative(ty), x, z))


@njit(cache=True, inline="always")
def rotated(x: Any, y: Any, z: Any, tx: Any, ty: Any, tz: Any) -> Any:
    """Cayley's rotation of s with q = t / 4, t the sum of the rotation vectors of both stages."""
    qx, qy, qz = tx * 0.25, ty * 0.25, tz * 0.25
    factor = 0.5 / fma(qx, qx, fma(qy, qy, fma(qz, qz, 1.0)))
    # u = t x s = 4 q x s
    ux = fma(ty, z, negative(tz * y))
    uy = fma(tz, x, negative(tx * z))
    uz = fma(tx, y, negative(ty * x))
    vx, vy, vz = predicted(ux, uy, uz, qx, qy, qz)
    return fma(factor, vx, x), fma(factor, vy, y), fma(factor, vz, z)


@njit(cache=True, inline="always")
def rotated_in_plane(x: Any, y: Any, z: Any, tx: Any, ty: Any) -> Any:
    """As `rotated` where t_z = 0."""
    qx, qy = tx * 0.25, ty * 0.25
    factor = 0.5 / fma(qx, qx, fma(qy, qy, 1.0))
    ux, uy, uz = ty * z, negative(tx * z), fma(tx, y, negative(ty * x))
    vx, vy, vz = predicted_in_plane(ux, uy, uz, qx, qy)
    return fma(factor, vx, x), fma(factor, vy, y), fma(factor, vz, z)


renew(globals())
