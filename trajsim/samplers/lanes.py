"""One vector register of eight doubles as a value of numba code: for kernels on short real arrays.

`trajsim.samplers.simd` works on blocks of 64 reals, too coarse for the few dozen amplitudes of a Dicke ladder that are
populated; here a kernel writes its own loop over vectors. Every lane does, in a fixed order, the operations that are
written down, so the bits do not depend on how a kernel was compiled. With shorter registers LLVM splits the operations.

    get(x, at)          x[at : at + 8]                  put(a, x, at)   x[at : at + 8] = a;  returns at
    splat(value)        eight times a scalar            total(a)        sum of the lanes, in a fixed order
    add(a, b)           a + b                           multiply(a, b)  a b
    fma(a, b, c)        a b + c, rounded once           fnma(a, b, c)   c - a b, rounded once
    root(a)             sqrt(max(a, 0))
    after(a, b)         x[at + 1 : at + 9] where a is x[at : at + 8] and b the next eight
    before(a, b)        x[at - 1 : at + 7] where b is x[at : at + 8] and a the eight before

The last two move data between registers: a load that lies across two stores just made has to wait for both.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, register_model

__all__ = ["LANES", "add", "after", "before", "fma", "fnma", "get", "multiply", "put", "root", "splat", "total"]

LANES: Final = 8

intrinsic: Any = numba_intrinsic  # a type checker sees the function of Python, which takes the typing context as well

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_INT = ir.IntType(32)


class _Lanes(types.Type):
    """numba type of a vector of eight doubles."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: _Lanes) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    data = cgutils.create_struct_proxy(array_type)(context, builder, value=array).data
    return builder.bitcast(builder.gep(data, [at]), _VECTOR.as_pointer())


def _call(builder: Any, name: str, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(arguments))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v8f64"), arguments)


def _splat(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES))


@intrinsic
def get(typingctx: Any, x: Any, at: Any) -> Any:
    """x[at : at + 8] of an array of doubles."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(_pointer(context, builder, signature.args[0], *args))
        value.align = 8
        return value

    return _lanes(x, types.int64), codegen


@intrinsic
def put(typingctx: Any, a: Any, x: Any, at: Any) -> Any:
    """x[at : at + 8] = a; returns at."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[0], _pointer(context, builder, signature.args[1], args[1], args[2])).align = 8
        return args[2]

    return types.int64(_lanes, x, types.int64), codegen


@intrinsic
def splat(typingctx: Any, value: Any) -> Any:
    """Eight times the same number."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, args[0])

    return _lanes(types.float64), codegen


@intrinsic
def add(typingctx: Any, a: Any, b: Any) -> Any:
    """a + b."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(*args)

    return _lanes(_lanes, _lanes), codegen


@intrinsic
def multiply(typingctx: Any, a: Any, b: Any) -> Any:
    """a b."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(*args)

    return _lanes(_lanes, _lanes), codegen


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, "fma", list(args))

    return _lanes(_lanes, _lanes, _lanes), codegen


@intrinsic
def fnma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """c - a b, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, "fma", [builder.fneg(args[0]), args[1], args[2]])

    return _lanes(_lanes, _lanes, _lanes), codegen


@intrinsic
def root(typingctx: Any, a: Any) -> Any:
    """sqrt(max(a, 0))."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        return _call(builder, "sqrt", [builder.select(builder.fcmp_ordered(">", args[0], zero), args[0], zero)])

    return _lanes(_lanes), codegen


def _joined(builder: Any, args: Any, first: int) -> Any:
    """Lanes first .. first + 7 of two vectors."""
    return builder.shuffle_vector(*args, ir.Constant(ir.VectorType(_INT, LANES), list(range(first, first + LANES))))


@intrinsic
def after(typingctx: Any, a: Any, b: Any) -> Any:
    """Lanes 1 .. 7 of a, lane 0 of b."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _joined(builder, args, 1)

    return _lanes(_lanes, _lanes), codegen


@intrinsic
def before(typingctx: Any, a: Any, b: Any) -> Any:
    """Lane 7 of a, lanes 0 .. 6 of b."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _joined(builder, args, LANES - 1)

    return _lanes(_lanes, _lanes), codegen


@intrinsic
def total(typingctx: Any, a: Any) -> Any:
    """Sum of the lanes: ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7))."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, width = args[0], LANES
        while width > 1:
            width //= 2
            low, high = (
                builder.shuffle_vector(
                    value,
                    ir.Constant(value.type, ir.Undefined),
                    ir.Constant(ir.VectorType(_INT, width), list(range(start, start + width))),
                )
                for start in (0, width)
            )
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(_INT, 0))

    return types.float64(_lanes), codegen
