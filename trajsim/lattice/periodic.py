"""Integer points of a box whose directions are open or periodic: the arithmetic below a lattice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd, prod

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def bezout(x: int, y: int) -> tuple[int, int]:
    """Integers u, v with u x + v y = gcd(x, y) >= 0 (the extended Euclidean algorithm)."""
    u, v, next_u, next_v = 1, 0, 0, 1
    while y:
        quotient = x // y
        x, y = y, x - quotient * y
        u, v, next_u, next_v = next_u, next_v, u - quotient * next_u, v - quotient * next_v
    return (u, v) if x >= 0 else (-u, -v)


@dataclass(frozen=True)
class PeriodicBox:
    """Points c = (c_1, ..., c_dim), 0 <= c_a < shape_a, in units of the primitive vectors e_a.

    In a periodic direction a, points that differ by a multiple of the period P_a are one. P_a = shape_a e_a,
    except that the second period of a tilted box is P_2 = tilt e_1 + shape_2 e_2, 0 <= tilt < shape_1: the
    Hermite normal form, in which boxes with the same periods are equal. `primitive` is "square" (orthonormal
    e_a) or "triangular" (e_1 = (1, 0), e_2 = (1/2, sqrt(3)/2)). Lengths are in lattice constants.
    """

    shape: tuple[int, ...]
    periodic: tuple[bool, ...]
    primitive: str = "square"
    tilt: int = 0

    @classmethod
    def spanned(cls, a: tuple[int, int], b: tuple[int, int], primitive: str) -> PeriodicBox:
        """The periodic box with the periods a and b, which must be linearly independent: |a x b| points."""
        height = gcd(a[1], b[1])
        width = abs(a[0] * b[1] - a[1] * b[0]) // height
        u, v = bezout(a[1], b[1])
        return cls((width, height), (True, True), primitive, (u * a[0] + v * b[0]) % width)

    @property
    def dim(self) -> int:
        """Number of directions."""
        return len(self.shape)

    @property
    def n_points(self) -> int:
        """Number of points."""
        return prod(self.shape)

    @cached_property
    def basis(self) -> Floats:
        """Cartesian components of the primitive vectors, (dim, dim), one a row."""
        if self.primitive == "triangular":
            return np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
        return np.eye(self.dim)

    @cached_property
    def _metric(self) -> Integers:
        # twice the Gram matrix is integer for both kinds of primitive vectors, so that ties are found exactly
        return np.rint(2.0 * self.basis @ self.basis.T).astype(np.int64)

    @cached_property
    def periods(self) -> Integers:
        """(dim, dim): row a is P_a, zero where a is open; lower triangular."""
        periods = np.diag([n if p else 0 for n, p in zip(self.shape, self.periodic, strict=True)])
        if self.tilt:
            periods[1, 0] = self.tilt
        return periods.astype(np.int64)

    def points(self, shape: tuple[int, ...] | None = None) -> Integers:
        """All points of the box (or of another shape), (n, dim), the first component running fastest."""
        grid = np.indices(shape or self.shape).reshape(self.dim, -1, order="F")
        return np.ascontiguousarray(grid.T).astype(np.int64)

    def index(self, points: Integers) -> Integers:
        """Row of ``points()`` for points of any shape (..., dim), periodic images included; -1 outside."""
        points = np.array(points, dtype=np.int64)
        number = np.zeros(points.shape[:-1], dtype=np.int64)
        inside = np.ones(points.shape[:-1], dtype=bool)
        for axis in reversed(range(self.dim)):  # last first: P_2 moves the first component too
            length = self.shape[axis]
            if self.periodic[axis]:
                points -= (points[..., axis] // length)[..., None] * self.periods[axis]
            inside &= (points[..., axis] >= 0) & (points[..., axis] < length)
            number = number * length + points[..., axis]
        return np.where(inside, number, -1)

    def square_lengths(self, vectors: Integers) -> Integers:
        """Twice the squared Euclidean length of (..., dim) vectors, an exact integer."""
        squares: Integers = np.einsum("...a,ab,...b->...", vectors, self._metric, vectors)
        return squares

    def shortest_images(self, vectors: Integers) -> Integers:
        """Shortest v + sum_a n_a P_a for each row v of (n, dim); of equal ones the lexicographically largest.

        For one direction of length L this is the range -((L - 1) // 2) ... L // 2.
        """
        periods = self._short_periods()
        if not len(periods):
            return vectors
        gram = (periods @ self._metric @ periods.T).astype(np.float64)
        fractions = (vectors @ self._metric @ periods.T) @ np.linalg.inv(gram)
        near: Integers = vectors - np.rint(fractions).astype(np.int64) @ periods
        # The periods being reduced, the shortest image is now at most one period away in each direction.
        steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * len(periods), indexing="ij"), axis=-1)
        offsets = steps.reshape(-1, len(periods)) @ periods
        offsets = offsets[np.lexsort(offsets.T[::-1])[::-1]]
        lengths = self.square_lengths(near[:, None, :] + offsets)
        nearest: Integers = near + offsets[np.argmin(lengths, axis=1)]
        return nearest

    def _short_periods(self) -> Integers:
        periods = self.periods[list(self.periodic)]
        if self.dim != 2 or len(periods) < 2:
            return periods  # orthogonal, or a single one
        short, long = periods
        if self.square_lengths(long) < self.square_lengths(short):
            short, long = long, short
        while True:  # Lagrange's reduction of a basis of the plane
            product = int(long @ self._metric @ short)
            norm = int(self.square_lengths(short))
            long = long - ((2 * product + norm) // (2 * norm)) * short
            if self.square_lengths(long) >= norm:
                return np.array([short, long])
            short, long = long, short

    def wave_vectors(self) -> Floats:
        """All k with k . P_a in 2 pi Z for a box periodic in every direction, components in (-pi, pi].

        (n_points, dim), zero first; the phase of a displacement d in primitive units is exp(i k . d).
        """
        n = self.n_points
        adjugate = np.rint(np.linalg.inv(self.periods) * n).astype(np.int64)
        numerators = (self.points() @ adjugate.T) % n
        numerators[2 * numerators > n] -= n
        return 2.0 * np.pi * numerators / n

    def differences(self) -> tuple[Integers, Integers]:
        """Distinct displacements between points and which one leads from point i to point j.

        Returns the shortest images, (n_d, dim), zero first, by length, positive before negative; and the row
        of every pair in them, (n_points, n_points).
        """
        spans = tuple(2 * n - 1 for n in self.shape)
        raw = self.points(spans) - (np.array(self.shape) - 1)
        images, inverse = np.unique(self.shortest_images(raw), axis=0, return_inverse=True)
        order = np.lexsort((*(-images.T[::-1]), self.square_lengths(images)))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        # a point's place in the grid of spans is linear in the point, so one subtraction serves all pairs
        strides = np.cumprod((1, *spans[:-1]))
        places = self.points() @ strides
        origin = int((np.array(self.shape) - 1) @ strides)
        return images[order], rank[inverse.reshape(-1)][places[None, :] - places[:, None] + origin]
