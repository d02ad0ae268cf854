r"""Several numbers as one value of numba code: hand-made vector code where all of them do the same.

`Lanes` of float64, float32, uint64 or int32 are values of ordinary numba code: + - * / of lanes with lanes or with a
number of Python, and for integers ^ | & << >>, act lane by lane. Every lane does, in a fixed order, the operations that
are written down, fused only where `fma` says so: the bits depend neither on the lane nor on how a kernel was compiled.
On machines with shorter vectors LLVM splits the operations.

    fma(a, b, c)            a b + c, rounded once; of lanes and numbers, or of numbers alone
    fnma(a, b, c)           c - a b, rounded once; of lanes
    negative(a), root(a)    -a, \sqrt{a}; of lanes or of a number
    positive(a)             max(a, 0)

`LANES` trajectories side by side:

    align_stack()           what does not fit into the registers is kept in whole lines of the cache
    pointer(x)              address of the numbers of an array; for loops, where arrays would count references
    item(p, i)              p[i], one number
    load(p, i), store(a, p, i)   p[i : i + LANES]
    splat(p, value)         lanes of p's type, all equal to value
    widened(p, a)           float32 lanes as lanes of p's type
    halves(a)               uint64 lanes as their low and their high 32 bits, int32
    of_unsigned(a), of_signed(a)   int32 lanes, taken as that, rounded to float32
    bits_of(a), float_of(a) float32 lanes as int32 lanes of the same bits, and back

One register of `REGISTER` doubles, for short arrays (`trajsim.samplers.simd` has blocks of 64 reals, too coarse for the
few dozen amplitudes of a Dicke ladder that are populated):

    get(x, at), put(a, x, at)    x[at : at + REGISTER]
    spread(value)           as many times the same number
    total(a)                sum of the lanes, in a fixed order
    after(a, b)             x[at + 1 : at + 9] where a is x[at : at + 8] and b the next eight
    before(a, b)            x[at - 1 : at + 7] where b is x[at : at + 8] and a the eight before

The last two move data between registers: a load that lies across two stores just made has to wait for both.

What is written with `fma`, `negative`, `root` and operators alone runs on plain numbers as well, one trajectory at a
time: on the device of a GPU, or as the plain twin in a test.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import lower_builtin, models, register_model

__all__ = [
    "LANES",
    "REGISTER",
    "after",
    "align_stack",
    "before",
    "bits_of",
    "float_of",
    "fma",
    "fnma",
    "get",
    "halves",
    "item",
    "load",
    "negative",
    "of_signed",
    "of_unsigned",
    "pointer",
    "positive",
    "put",
    "root",
    "splat",
    "spread",
    "store",
    "total",
    "widened",
]

LANES: Final = 32  # 4 registers of doubles, 2 of singles: enough to hide latencies, few enough to stay in registers
REGISTER: Final = 8  # doubles

intrinsic: Any = numba_intrinsic  # a type checker sees the function of Python, which takes the typing context as well

_INT32 = ir.IntType(32)


class Lanes(types.Type):
    """numba type of `count` numbers."""

    def __init__(self, dtype: Any, count: int = LANES) -> None:
        self.dtype, self.count = dtype, count
        super().__init__(name=f"Lanes({dtype}, {count})")


_register = Lanes(types.float64, REGISTER)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        super().__init__(dmm, fe_type, _vector(fe_type))


def _element(dtype: Any) -> ir.Type:
    if isinstance(dtype, types.Float):
        return ir.DoubleType() if dtype == types.float64 else ir.FloatType()
    return ir.IntType(dtype.bitwidth)


def _vector(lanes: Lanes) -> ir.VectorType:
    return ir.VectorType(_element(lanes.dtype), lanes.count)


def _chosen(builder: Any, a: Any, b: Any, lanes: Sequence[int]) -> Any:
    """The lanes of those numbers of two vectors laid end to end."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT32, len(lanes)), list(lanes)))


def _as_lanes(context: Any, builder: Any, lanes: Lanes, kind: Any, value: Any) -> Any:
    """Lanes as they are, a number rounded to their type and spread."""
    if isinstance(kind, Lanes):
        return value
    nothing = ir.Constant(_vector(lanes), ir.Undefined)
    number = context.cast(builder, value, kind, lanes.dtype)
    one = builder.insert_element(nothing, number, ir.Constant(_INT32, 0))
    return _chosen(builder, one, nothing, [0] * lanes.count)


def _operation(python: Any, for_floats: str | None, for_integers: str | None) -> None:
    """Let an operator of Python act on lanes, or on lanes and a number."""

    @infer_global(python)
    class _Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:  # noqa: ARG002 - operators have none
            lanes = [arg for arg in args if isinstance(arg, Lanes)]
            numbers = [arg for arg in args if isinstance(arg, types.Number)]
            if not lanes or len(args) != 2 or len(lanes) + len(numbers) < 2 or lanes[0] != lanes[-1]:
                return None
            return signature(lanes[0], *args)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = sig.return_type
        name = for_floats if isinstance(lanes.dtype, types.Float) else for_integers
        if name == "lshr" and lanes.dtype.signed:
            name = "ashr"
        values = [_as_lanes(context, builder, lanes, kind, v) for kind, v in zip(sig.args, args, strict=True)]
        return getattr(builder, str(name))(*values)

    for kinds in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(python, *kinds)(lower)


_operation(operator.add, "fadd", "add")
_operation(operator.sub, "fsub", "sub")
_operation(operator.mul, "fmul", "mul")
_operation(operator.truediv, "fdiv", None)
_operation(operator.xor, None, "xor")
_operation(operator.or_, None, "or_")
_operation(operator.and_, None, "and_")
_operation(operator.lshift, None, "shl")
_operation(operator.rshift, None, "lshr")


def _call(builder: Any, name: str, kind: Any, *values: Any) -> Any:
    """An operation of LLVM on numbers or lanes of one type."""
    dtype = kind.dtype if isinstance(kind, Lanes) else kind
    of = _vector(kind) if isinstance(kind, Lanes) else _element(dtype)
    suffix = f"v{kind.count}f{dtype.bitwidth}" if isinstance(kind, Lanes) else f"f{dtype.bitwidth}"
    function = ir.FunctionType(of, [of] * len(values))
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.{name}.{suffix}"), values)


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once."""
    kind: Any = next((k for k in (a, b, c) if isinstance(k, Lanes)), None)
    if kind is None:
        kind = types.float32 if {a, b, c} == {types.float32} else types.float64
        return kind(kind, kind, kind), lambda context, builder, sig, args: _call(builder, "fma", kind, *args)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        values = [_as_lanes(context, builder, kind, k, v) for k, v in zip(sig.args, args, strict=True)]
        return _call(builder, "fma", kind, *values)

    return kind(a, b, c), codegen


@intrinsic
def fnma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """c - a b, rounded once."""
    return a(a, a, a), lambda context, builder, sig, args: _call(builder, "fma", a, builder.fneg(args[0]), *args[1:])


@intrinsic
def negative(typingctx: Any, a: Any) -> Any:
    """-a."""
    return a(a), lambda context, builder, sig, args: builder.fneg(args[0])


@intrinsic
def root(typingctx: Any, a: Any) -> Any:
    r"""\sqrt{a}, correctly rounded."""
    return a(a), lambda context, builder, sig, args: _call(builder, "sqrt", a, args[0])


@intrinsic
def align_stack(typingctx: Any) -> Any:
    """Called once in a function with loops over lanes: what the registers do not hold is kept in whole cache lines.

    LLVM aligns the stack only where something that it knows of before it allocates registers asks for it.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        with builder.goto_entry_block():
            place = builder.alloca(ir.ArrayType(ir.IntType(8), 64))
            place.align = 64
        kind = ir.FunctionType(ir.VoidType(), [place.type])
        builder.call(ir.InlineAsm(kind, "", "r", side_effect=True), [place])
        return context.get_dummy_value()

    return types.none(), codegen


@intrinsic
def positive(typingctx: Any, a: Any) -> Any:
    """max(a, 0)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        zero = ir.Constant(_vector(a), [0.0] * a.count)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), args[0], zero)

    return a(a), codegen


@intrinsic
def pointer(typingctx: Any, x: Any) -> Any:
    """Address of the numbers of a contiguous array."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _data(context, builder, sig.args[0], args[0])

    return types.CPointer(x.dtype)(x), codegen


@intrinsic
def item(typingctx: Any, p: Any, i: Any) -> Any:
    """p[i]."""
    return p.dtype(p, types.int64), lambda context, builder, sig, args: builder.load(builder.gep(args[0], [args[1]]))


def _read(builder: Any, p: Any, i: Any, lanes: Lanes) -> Any:
    value = builder.load(builder.bitcast(builder.gep(p, [i]), _vector(lanes).as_pointer()))
    value.align = lanes.dtype.bitwidth // 8
    return value


def _write(builder: Any, a: Any, p: Any, i: Any, lanes: Lanes) -> None:
    place = builder.bitcast(builder.gep(p, [i]), _vector(lanes).as_pointer())
    builder.store(a, place).align = lanes.dtype.bitwidth // 8


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return cgutils.create_struct_proxy(kind)(context, builder, value=array).data


@intrinsic
def load(typingctx: Any, p: Any, i: Any) -> Any:
    """p[i : i + LANES]."""
    lanes = Lanes(p.dtype)
    return lanes(p, types.int64), lambda context, builder, sig, args: _read(builder, args[0], args[1], lanes)


@intrinsic
def store(typingctx: Any, a: Any, p: Any, i: Any) -> Any:
    """p[i : i + LANES] = a; returns i."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _write(builder, args[0], args[1], args[2], a)
        return args[2]

    return types.int64(a, p, types.int64), codegen


@intrinsic
def splat(typingctx: Any, p: Any, value: Any) -> Any:
    """Lanes of p's type, all equal to value."""
    lanes = Lanes(p.dtype)
    return lanes(p, value), lambda context, builder, sig, args: _as_lanes(context, builder, lanes, value, args[1])


@intrinsic
def widened(typingctx: Any, p: Any, a: Any) -> Any:
    """float32 lanes as lanes of p's type."""
    lanes = Lanes(p.dtype)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return args[1] if lanes == a else builder.fpext(args[1], _vector(lanes))

    return lanes(p, a), codegen


@intrinsic
def halves(typingctx: Any, a: Any) -> Any:
    """Low and high 32 bits."""
    pair = types.UniTuple(Lanes(types.int32), 2)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        words = ir.VectorType(_INT32, 2 * LANES)
        both, nothing = builder.bitcast(args[0], words), ir.Constant(words, ir.Undefined)
        parts = [_chosen(builder, both, nothing, range(part, 2 * LANES, 2)) for part in (0, 1)]
        return context.make_tuple(builder, pair, parts)

    return pair(a), codegen


def _conversion(name: str, to: Any) -> Any:
    """An intrinsic that turns lanes of one type into those of another by one instruction."""

    def convert(typingctx: Any, a: Any) -> Any:
        lanes = Lanes(to)
        return lanes(a), lambda context, builder, sig, args: getattr(builder, name)(args[0], _vector(lanes))

    return intrinsic(convert)


of_unsigned = _conversion("uitofp", types.float32)
of_signed = _conversion("sitofp", types.float32)
bits_of = _conversion("bitcast", types.int32)
float_of = _conversion("bitcast", types.float32)


@intrinsic
def get(typingctx: Any, x: Any, at: Any) -> Any:
    """x[at : at + REGISTER] of an array of doubles."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _read(builder, _data(context, builder, sig.args[0], args[0]), args[1], _register)

    return _register(x, types.int64), codegen


@intrinsic
def put(typingctx: Any, a: Any, x: Any, at: Any) -> Any:
    """x[at : at + REGISTER] = a; returns at."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _write(builder, args[0], _data(context, builder, sig.args[1], args[1]), args[2], _register)
        return args[2]

    return types.int64(_register, x, types.int64), codegen


@intrinsic
def spread(typingctx: Any, value: Any) -> Any:
    """REGISTER times the same number."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _as_lanes(context, builder, _register, sig.args[0], args[0])

    return _register(types.float64), codegen


@intrinsic
def after(typingctx: Any, a: Any, b: Any) -> Any:
    """Lanes 1 .. 7 of a, lane 0 of b."""
    return a(a, a), lambda context, builder, sig, args: _chosen(builder, args[0], args[1], range(1, a.count + 1))


@intrinsic
def before(typingctx: Any, a: Any, b: Any) -> Any:
    """Lane 7 of a, lanes 0 .. 6 of b."""
    lanes = range(a.count - 1, 2 * a.count - 1)
    return a(a, a), lambda context, builder, sig, args: _chosen(builder, args[0], args[1], lanes)


@intrinsic
def total(typingctx: Any, a: Any) -> Any:
    """Sum of the lanes: ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7))."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value, width = args[0], a.count
        while width > 1:
            width //= 2
            nothing = ir.Constant(value.type, ir.Undefined)
            low, high = (_chosen(builder, value, nothing, range(start, start + width)) for start in (0, width))
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(_INT32, 0))

    return a.dtype(a), codegen
