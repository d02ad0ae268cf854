r"""Rows of a sparse operator on a state vector, several at a time in vector registers.

    plain_rows(x, y, factor, shift, rows, at, table, targets, codes, e, n, diagonal, value, plain, p, n_a, n_b)
    phased_rows(x, y, factor, rows, at, table, targets, codes, e, n)

y_b = factor (\sum table[code] x[target] + (diagonal - shift) x_b + value_0 \sum_a x[plain] + value_1 \sum_b x[plain])
for the w rows b = rows[at], .., rows[at + w - 1], without the last three terms in `phased_rows`; returns \sum_b |y_b|^2
in double. Each row has n entries (target, code), and n_a and n_b plain ones; those of the w rows lie interleaved from e
and p on. x and y are interleaved complex numbers; every coefficient stands as re, re, im, im, so that one fused
multiply-add with (x, x) gives all four products. rows, target and plain are indices of reals, twice the number of the
amplitude, and codes four times the number of the coefficient: nothing is left to compute. The w rows are independent
sums in a fixed order: the bits do not depend on how a kernel was compiled. LLVM does not find this by itself. w is
WIDTH, or 1 in the `one_` versions.
"""

# ruff: noqa: ARG001 - numba fixes the arguments of intrinsics

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic

__all__ = ["WIDTH", "one_phased_row", "one_plain_row", "phased_rows", "plain_rows"]

WIDTH: Final = 4  # rows at a time: enough to hide the latency of an addition

intrinsic: Any = numba_intrinsic  # a type checker sees the function of Python, which takes the typing context as well

_INDEX = ir.IntType(64)
_LANE = ir.IntType(32)
_WIDE = ir.VectorType(ir.DoubleType(), 2)


def _index(value: int) -> Any:
    return ir.Constant(_INDEX, value)


class _Emitter:
    """Writes the instructions for `width` rows."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any, width: int) -> None:
        self.builder, self.width = builder, width
        self.args = [
            cgutils.create_struct_proxy(kind)(context, builder, value=value).data
            if isinstance(kind, types.Array)
            else value
            for kind, value in zip(signature.args, args, strict=True)
        ]
        self.element = self.args[0].type.pointee
        self.bytes = 8 if self.element == ir.DoubleType() else 4
        self.pair = ir.VectorType(self.element, 2)
        self.quad = ir.VectorType(self.element, 4)

    def index(self, data: Any, at: Any) -> Any:
        return self.builder.zext(self.builder.load(self.builder.gep(data, [at])), _INDEX)

    def pointer(self, data: Any, at: Any, vector: ir.VectorType) -> Any:
        return self.builder.bitcast(self.builder.gep(data, [at]), vector.as_pointer())

    def load(self, data: Any, at: Any, vector: ir.VectorType) -> Any:
        return self.builder.load(self.pointer(data, at, vector), align=self.bytes)

    def amplitude(self, at: Any) -> Any:
        return self.load(self.args[0], at, self.pair)

    def shuffle(self, vector: Any, order: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(_LANE, len(order)), order)
        return self.builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)

    def multiply_add(self, coefficient: Any, x: Any, total: Any) -> Any:
        """total + the four products of a coefficient and an amplitude."""
        kind = ir.FunctionType(self.quad, [self.quad] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fma.v4f{8 * self.bytes}")
        return self.builder.call(function, [coefficient, self.shuffle(x, [0, 1, 0, 1]), total])

    def sums(self, vector: ir.VectorType, first: Any, count: Any, step: Callable[[Any, Any], Any]) -> list[Any]:
        """[step(.. step(step(0, at), at + width) ..)] for each of the rows at = first, first + 1, ..."""
        builder = self.builder
        zero = ir.Constant(vector, [0.0] * vector.count)
        stop = builder.add(first, builder.mul(count, _index(self.width)))
        before, body, end = builder.block, builder.append_basic_block("entry"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", first, stop), body, end)
        builder.position_at_end(body)
        at = builder.phi(_INDEX)
        totals = [builder.phi(vector) for _ in range(self.width)]
        grown = [step(total, builder.add(at, _index(j))) for j, total in enumerate(totals)]
        following = builder.add(at, _index(self.width))
        builder.cbranch(builder.icmp_signed("<", following, stop), body, end)
        at.add_incoming(first, before)
        at.add_incoming(following, body)
        builder.position_at_end(end)
        result = []
        for total, more in zip(totals, grown, strict=True):
            total.add_incoming(zero, before)
            total.add_incoming(more, body)
            last = builder.phi(vector)
            last.add_incoming(zero, before)
            last.add_incoming(more, body)
            result.append(last)
        return result

    def splat(self, scalar: Any, lanes: int, vector: ir.VectorType) -> Any:
        """The scalar in the first lanes, zeros in the others."""
        value = ir.Constant(vector, [0.0] * vector.count)
        for k in range(lanes):
            value = self.builder.insert_element(value, scalar, _LANE(k))
        return value

    def rows(self, with_plain: bool) -> Any:
        builder = self.builder
        _, y, factor = self.args[:3]
        rows, at, table, targets, codes, e, n = self.args[4:11] if with_plain else self.args[3:10]

        def phased(total: Any, at: Any) -> Any:
            c = self.load(table, self.index(codes, at), self.quad)
            return self.multiply_add(c, self.amplitude(self.index(targets, at)), total)

        totals = self.sums(self.quad, e, n, phased)
        places = [self.index(rows, builder.add(at, _index(j))) for j in range(self.width)]
        if with_plain:
            diagonal, value, plain, p, n_a, n_b = self.args[11:]
            shift = self.splat(self.args[3], 2, self.quad)

            def added(total: Any, at: Any) -> Any:
                return builder.fadd(total, self.amplitude(self.index(plain, at)))

            of_a = self.sums(self.pair, p, n_a, added)
            of_b = self.sums(self.pair, builder.add(p, builder.mul(n_a, _index(self.width))), n_b, added)
            first = builder.shl(at, _index(2))
            for j, place in enumerate(places):
                d = builder.fsub(self.load(diagonal, builder.add(first, _index(4 * j)), self.quad), shift)
                totals[j] = self.multiply_add(d, self.amplitude(place), totals[j])
                for c, sums in enumerate((of_a, of_b)):
                    totals[j] = self.multiply_add(self.load(value, _index(4 * c), self.quad), sums[j], totals[j])
        norm = ir.Constant(_WIDE, [0.0, 0.0])
        factors = self.splat(factor, 2, self.pair)
        sign = ir.Constant(self.pair, [-1.0, 1.0])
        for total, place in zip(totals, places, strict=True):
            turned = builder.fmul(self.shuffle(total, [3, 2]), sign)
            z = builder.fmul(factors, builder.fadd(self.shuffle(total, [0, 1]), turned))
            builder.store(z, self.pointer(y, place, self.pair)).align = self.bytes
            wide = z if self.bytes == 8 else builder.fpext(z, _WIDE)
            norm = builder.fadd(norm, builder.fmul(wide, wide))
        return builder.fadd(builder.extract_element(norm, _LANE(0)), builder.extract_element(norm, _LANE(1)))


def _plain(width: int) -> Any:
    def plain_rows(
        typing: Any, x: Any, y: Any, factor: Any, shift: Any, rows: Any, at: Any, table: Any, targets: Any,
        codes: Any, e: Any, n: Any, diagonal: Any, value: Any, plain: Any, p: Any, n_a: Any, n_b: Any
    ) -> Any:  # fmt: skip
        real, two = x.dtype, (types.int64,) * 2
        signature = types.float64(
            x, y, real, real, rows, types.int64, table, targets, codes, *two, diagonal, value, plain, types.int64, *two
        )
        return signature, lambda c, b, s, a: _Emitter(c, b, s, a, width).rows(with_plain=True)

    return intrinsic(plain_rows)


def _phased(width: int) -> Any:
    def phased_rows(
        typing: Any, x: Any, y: Any, factor: Any, rows: Any, at: Any, table: Any, targets: Any, codes: Any, e: Any,
        n: Any
    ) -> Any:  # fmt: skip
        signature = types.float64(x, y, x.dtype, rows, types.int64, table, targets, codes, types.int64, types.int64)
        return signature, lambda c, b, s, a: _Emitter(c, b, s, a, width).rows(with_plain=False)

    return intrinsic(phased_rows)


plain_rows = _plain(WIDTH)
phased_rows = _phased(WIDTH)
one_plain_row = _plain(1)
one_phased_row = _phased(1)
