r"""Blocks of a state vector held in vector registers: the only hand-made vector code.

A block is `VECTORS` vectors of 64 bytes, 8 doubles or 16 singles each, of an array of interleaved complex numbers.
numba's compiler does not move data between the lanes of a vector by itself, and it keeps a sum over bonds in memory;
with blocks as values of ordinary numba code both happen in registers, and nothing else changes: every lane does, in a
fixed order, the fused multiply-adds that are written down, so the bits do not depend on how a kernel was compiled.
On machines with shorter vectors LLVM splits the operations.

    zeros(x)                                    block of zeros of the type of x
    load(x, base)                               x[base : base + size]
    add_moved(a, x, source, c, at)              a[f] + c[at + f % lanes] x[source ^ f]
    add_aligned(a, x, source, c, at)            the same where lanes divides the source: without a choice of the lanes
    add_weighted(a, x, source, c, at)           a[f] + c[at + f]         x[source ^ f]
    multiply_complex(d, at, re, im, x, base)    (d[at + k] + re + i im) x[base + k], complex
    scaled(a, factor)                           factor a[f]
    add_scaled(a, x, base, factor)              a[f] + factor x[base + f]
    add_turned(a, b, factor)                    a - i factor b, complex
    store(a, y, base)                           y[base + f] = a[f];  returns base

f = 0 .. size - 1, size = block_size(dtype), lanes = lane_count(dtype). `base` and `source` are indices of reals, `base`
a multiple of the size; bit 0 of `source` exchanges real and imaginary parts.

Sums over a whole vector are collected in double, lane by lane, and reduced once:

    no_sums()                                   nothing yet
    add_products(s, a, b)                       and a[f] b[f], in lane f of 8
    add_crossed(s, a, b)                        and a[f] b[f ^ 1]
    add_weighted_squares(s, w, x, base)         and w[(base + f) / 2] x[base + f]^2
    total(s)                                    sum of the lanes
    alternating(s)                              sum of the even lanes minus that of the odd ones
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, register_model

__all__ = [
    "VECTORS",
    "add_aligned",
    "add_crossed",
    "add_moved",
    "add_products",
    "add_scaled",
    "add_turned",
    "add_weighted",
    "add_weighted_squares",
    "alternating",
    "block_size",
    "lane_count",
    "load",
    "multiply_complex",
    "no_sums",
    "scaled",
    "store",
    "total",
    "zeros",
]

VECTORS: Final = 8  # accumulators of a block: enough to hide the latency of an addition, few enough for the registers
_BYTES: Final = 64
_SUMS: Final = 4  # sums in each lane, in turns: enough to hide the latency of an addition

intrinsic: Any = numba_intrinsic  # a type checker sees the function of Python, which takes the typing context as well


def lane_count(dtype: Any) -> int:
    """Reals in a vector."""
    return _BYTES // int(np.dtype(dtype).itemsize)


def block_size(dtype: Any) -> int:
    """Reals in a block."""
    return VECTORS * lane_count(dtype)


class _Block(types.Type):
    """numba type of a block of float64 or float32."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"Block({dtype})")


@register_model(_Block)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: _Block) -> None:
        super().__init__(dmm, fe_type, ir.ArrayType(_vector(fe_type.dtype), VECTORS))


class _Sums(types.Type):
    """numba type of sums in double, lane by lane."""

    def __init__(self) -> None:
        super().__init__(name="Sums")


@register_model(_Sums)
class _SumsModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: _Sums) -> None:
        super().__init__(dmm, fe_type, ir.ArrayType(_vector(types.float64), _SUMS))


def _element(dtype: types.Float) -> ir.Type:
    return ir.DoubleType() if dtype == types.float64 else ir.FloatType()


def _vector(dtype: types.Float) -> ir.VectorType:
    return ir.VectorType(_element(dtype), _BYTES * 8 // dtype.bitwidth)


_INDEX = ir.IntType(64)
_HALVES = (list(range(8)), list(range(8, 16)))


class _Emitter:
    """Writes the instructions of one intrinsic for one element type."""

    def __init__(self, context: Any, builder: Any, dtype: types.Float) -> None:
        self.context, self.builder, self.dtype = context, builder, dtype
        self.vector = _vector(dtype)
        self.lanes: int = self.vector.count
        self.name = f"v{self.lanes}f{dtype.bitwidth}"

    def data(self, array_type: Any, array: Any) -> Any:
        return cgutils.create_struct_proxy(array_type)(self.context, self.builder, value=array).data

    def pointer(self, data: Any, index: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(data, [index]), self.vector.as_pointer())

    def load(self, data: Any, index: Any) -> Any:
        value = self.builder.load(self.pointer(data, index))
        value.align = self.dtype.bitwidth // 8
        return value

    def store(self, value: Any, data: Any, index: Any) -> None:
        self.builder.store(value, self.pointer(data, index)).align = self.dtype.bitwidth // 8

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fma.{self.name}")
        return self.builder.call(function, [a, b, c])

    def shuffle(self, value: Any, order: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
        return self.builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), mask)

    def splat(self, scalar: Any) -> Any:
        one = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), scalar, ir.Constant(_INDEX, 0))
        return self.shuffle(one, [0] * self.lanes)

    def add_moved(self, sums: list[Any], factors: list[Any], data: Any, source: Any) -> list[Any]:
        """Fused multiply-adds with x[source ^ f]: vectors are exchanged by address, lanes by a constant permutation."""
        builder = self.builder
        lane = builder.and_(source, ir.Constant(_INDEX, self.lanes - 1))
        first = builder.and_(source, ir.Constant(_INDEX, -self.lanes))
        end = builder.append_basic_block("moved")
        straight = builder.append_basic_block("straight")
        switch = builder.switch(lane, straight)
        cases = []
        for pattern in range(self.lanes):
            block = straight if pattern == 0 else builder.append_basic_block(f"lane{pattern}")
            if pattern:
                switch.add_case(ir.Constant(_INDEX, pattern), block)
            builder.position_at_end(block)
            order = [f ^ pattern for f in range(self.lanes)]
            values = []
            for j in range(VECTORS):
                x = self.load(data, self.builder.xor(first, ir.Constant(_INDEX, j * self.lanes)))
                values.append(self.fma(factors[j], self.shuffle(x, order) if pattern else x, sums[j]))
            cases.append((block, values))
            builder.branch(end)
        builder.position_at_end(end)
        result = []
        for j in range(VECTORS):
            phi = builder.phi(self.vector)
            for block, values in cases:
                phi.add_incoming(values[j], block)
            result.append(phi)
        return result

    def add_aligned(self, sums: list[Any], factors: list[Any], data: Any, source: Any) -> list[Any]:
        """`add_moved` where the lanes stay: vectors are exchanged by address."""
        places = [self.builder.xor(source, ir.Constant(_INDEX, j * self.lanes)) for j in range(VECTORS)]
        return [self.fma(factors[j], self.load(data, places[j]), sums[j]) for j in range(VECTORS)]

    def plus(self, base: Any, j: int) -> Any:
        return self.builder.add(base, ir.Constant(_INDEX, j * self.lanes))

    def pack(self, values: list[Any]) -> Any:
        block = ir.Constant(ir.ArrayType(self.vector, VECTORS), ir.Undefined)
        for j, value in enumerate(values):
            block = self.builder.insert_value(block, value, j)
        return block

    def unpack(self, block: Any) -> list[Any]:
        return [self.builder.extract_value(block, j) for j in range(VECTORS)]

    def widened(self, values: list[Any]) -> list[Any]:
        """The same numbers as vectors of doubles."""
        if self.dtype == types.float64:
            return values
        kind = _vector(types.float64)
        return [self.builder.fpext(self.shuffle(v, half), kind) for v in values for half in _HALVES]

    def add_products(self, sums: Any, left: list[Any], right: list[Any], crossed: bool = False) -> Any:
        """Products, in double, on top of the sums; crossed: with the neighbouring lane of the right."""
        wide = _Emitter(self.context, self.builder, types.float64)
        lefts, rights = self.widened(left), self.widened(right)
        parts = [self.builder.extract_value(sums, k) for k in range(_SUMS)]
        for k, (a, b) in enumerate(zip(lefts, rights, strict=True)):
            other = wide.shuffle(b, [f ^ 1 for f in range(wide.lanes)]) if crossed else b
            parts[k % _SUMS] = wide.fma(a, other, parts[k % _SUMS])
        for k, part in enumerate(parts):
            sums = self.builder.insert_value(sums, part, k)
        return sums


def _rounded(builder: Any, scalar: Any, dtype: types.Float) -> Any:
    return scalar if dtype == types.float64 else builder.fptrunc(scalar, ir.FloatType())


@intrinsic
def zeros(typingctx: Any, x: Any) -> Any:
    """Block of zeros of the type of x."""
    block = _Block(x.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(block), None)

    return block(x), codegen


@intrinsic
def load(typingctx: Any, x: Any, base: Any) -> Any:
    """x[base : base + size]."""
    block = _Block(x.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Emitter(context, builder, x.dtype)
        data = emit.data(signature.args[0], args[0])
        return emit.pack([emit.load(data, emit.plus(args[1], j)) for j in range(VECTORS)])

    return block(x, types.int64), codegen


def _add(context: Any, builder: Any, signature: Any, args: Any, kind: str) -> Any:
    emit = _Emitter(context, builder, signature.args[0].dtype)
    block, x, source, coefficients, at = args
    data = emit.data(signature.args[1], x)
    table = emit.data(signature.args[3], coefficients)
    if kind == "add_weighted":
        factors = [emit.load(table, emit.plus(at, j)) for j in range(VECTORS)]
    else:
        factors = [emit.load(table, at)] * VECTORS
    add = emit.add_aligned if kind == "add_aligned" else emit.add_moved
    return emit.pack(add(emit.unpack(block), factors, data, source))


@intrinsic
def add_moved(typingctx: Any, a: Any, x: Any, source: Any, c: Any, at: Any) -> Any:
    """a[f] + c[at + f % lanes] x[source ^ f]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _add(context, builder, signature, args, "add_moved")

    return a(a, x, types.int64, c, types.int64), codegen


@intrinsic
def add_aligned(typingctx: Any, a: Any, x: Any, source: Any, c: Any, at: Any) -> Any:
    """a[f] + c[at + f % lanes] x[source ^ f], lanes a divisor of the source."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _add(context, builder, signature, args, "add_aligned")

    return a(a, x, types.int64, c, types.int64), codegen


@intrinsic
def add_weighted(typingctx: Any, a: Any, x: Any, source: Any, c: Any, at: Any) -> Any:
    """a[f] + c[at + f] x[source ^ f]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _add(context, builder, signature, args, "add_weighted")

    return a(a, x, types.int64, c, types.int64), codegen


@intrinsic
def multiply_complex(typingctx: Any, d: Any, at: Any, re: Any, im: Any, x: Any, base: Any) -> Any:
    """Block of (d[at + k] + re + i im) x[base + k], complex."""
    block = _Block(x.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Emitter(context, builder, x.dtype)
        left, right = emit.data(signature.args[0], args[0]), emit.data(signature.args[4], args[4])
        re, im = (emit.splat(_rounded(builder, part, x.dtype)) for part in args[2:4])
        even = [f & ~1 for f in range(emit.lanes)]
        odd = [f | 1 for f in range(emit.lanes)]
        swap = [f ^ 1 for f in range(emit.lanes)]
        either = ir.Constant(
            ir.VectorType(ir.IntType(32), emit.lanes), [f + emit.lanes * (f % 2) for f in range(emit.lanes)]
        )
        level = builder.shuffle_vector(re, im, either)
        result = []
        for j in range(VECTORS):
            dv = builder.fadd(emit.load(left, emit.plus(args[1], j)), level)
            xv = emit.load(right, emit.plus(args[5], j))
            turned = builder.fmul(emit.shuffle(dv, odd), emit.shuffle(xv, swap))
            straight = emit.shuffle(dv, even)
            # one instruction of many processors: even lanes subtract, odd ones add
            minus, plus = emit.fma(straight, xv, builder.fneg(turned)), emit.fma(straight, xv, turned)
            result.append(builder.shuffle_vector(minus, plus, either))
        return emit.pack(result)

    return block(d, types.int64, types.float64, types.float64, x, types.int64), codegen


@intrinsic
def scaled(typingctx: Any, a: Any, factor: Any) -> Any:
    """factor a[f]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Emitter(context, builder, a.dtype)
        factors = emit.splat(_rounded(builder, args[1], a.dtype))
        return emit.pack([builder.fmul(v, factors) for v in emit.unpack(args[0])])

    return a(a, types.float64), codegen


@intrinsic
def add_scaled(typingctx: Any, a: Any, x: Any, base: Any, factor: Any) -> Any:
    """a[f] + factor x[base + f]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Emitter(context, builder, a.dtype)
        data = emit.data(signature.args[1], args[1])
        factors = emit.splat(_rounded(builder, args[3], a.dtype))
        return emit.pack(
            [emit.fma(factors, emit.load(data, emit.plus(args[2], j)), v) for j, v in enumerate(emit.unpack(args[0]))]
        )

    return a(a, x, types.int64, types.float64), codegen


@intrinsic
def add_turned(typingctx: Any, a: Any, b: Any, factor: Any) -> Any:
    """a - i factor b, complex."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Emitter(context, builder, a.dtype)
        swap = [f ^ 1 for f in range(emit.lanes)]
        signs = ir.Constant(emit.vector, [-1.0 if f % 2 else 1.0 for f in range(emit.lanes)])
        factors = builder.fmul(signs, emit.splat(_rounded(builder, args[2], a.dtype)))
        pairs = zip(emit.unpack(args[0]), emit.unpack(args[1]), strict=True)
        return emit.pack([emit.fma(factors, emit.shuffle(y, swap), x) for x, y in pairs])

    return a(a, b, types.float64), codegen


@intrinsic
def store(typingctx: Any, a: Any, y: Any, base: Any) -> Any:
    """y[base + f] = a[f]; returns base."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Emitter(context, builder, a.dtype)
        data = emit.data(signature.args[1], args[1])
        for j, value in enumerate(emit.unpack(args[0])):
            emit.store(value, data, emit.plus(args[2], j))
        return args[2]

    return types.int64(a, y, types.int64), codegen


@intrinsic
def no_sums(typingctx: Any) -> Any:
    """Sums of nothing."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(_Sums()), None)

    return _Sums()(), codegen


@intrinsic
def add_products(typingctx: Any, s: Any, a: Any, b: Any) -> Any:
    """The sums and a[f] b[f]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Emitter(context, builder, a.dtype)
        return emit.add_products(args[0], emit.unpack(args[1]), emit.unpack(args[2]))

    return s(s, a, b), codegen


@intrinsic
def add_crossed(typingctx: Any, s: Any, a: Any, b: Any) -> Any:
    """The sums and a[f] b[f ^ 1]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Emitter(context, builder, a.dtype)
        return emit.add_products(args[0], emit.unpack(args[1]), emit.unpack(args[2]), crossed=True)

    return s(s, a, b), codegen


@intrinsic
def add_weighted_squares(typingctx: Any, s: Any, w: Any, x: Any, base: Any) -> Any:
    r"""The sums and w[(base + f) / 2] x[base + f]^2."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit = _Emitter(context, builder, x.dtype)
        weights, data = (emit.data(kind, value) for kind, value in zip(signature.args[1:3], args[1:3], strict=True))
        half = ir.VectorType(emit.vector.element, emit.lanes // 2)
        left, right = [], []
        for j in range(VECTORS):
            index = builder.ashr(emit.plus(args[3], j), ir.Constant(_INDEX, 1))
            few = builder.load(builder.bitcast(builder.gep(weights, [index]), half.as_pointer()))
            few.align = emit.dtype.bitwidth // 8
            value = emit.load(data, emit.plus(args[3], j))
            left.append(builder.fmul(emit.shuffle(few, [f // 2 for f in range(emit.lanes)]), value))
            right.append(value)
        return emit.add_products(args[0], left, right)

    return s(s, w, x, types.int64), codegen


def _reduced(context: Any, builder: Any, sums: Any, alternating: bool) -> Any:
    wide = _Emitter(context, builder, types.float64)
    parts = [builder.extract_value(sums, k) for k in range(_SUMS)]
    while len(parts) > 1:
        parts = [builder.fadd(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    whole = parts[0]
    if alternating:
        whole = builder.fmul(whole, ir.Constant(wide.vector, [-1.0 if f % 2 else 1.0 for f in range(wide.lanes)]))
    for width in (4, 2, 1):
        low, high = (wide.shuffle(whole, list(range(start, start + width))) for start in (0, width))
        whole = builder.fadd(low, high)
    return builder.extract_element(whole, ir.Constant(_INDEX, 0))


@intrinsic
def total(typingctx: Any, s: Any) -> Any:
    """Sum of the lanes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _reduced(context, builder, args[0], alternating=False)

    return types.float64(s), codegen


@intrinsic
def alternating(typingctx: Any, s: Any) -> Any:
    """Sum of the even lanes minus that of the odd ones."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _reduced(context, builder, args[0], alternating=True)

    return types.float64(s), codegen
