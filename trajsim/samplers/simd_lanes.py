r"""Numbers that stand for `LANES` trajectories at once: hand-made vector code where all trajectories do the same.

`Lanes` of float64, float32, uint64 or int32 are values of ordinary numba code: + - * / of lanes with lanes or with a
number of Python, and for integers ^ | & << >>, act lane by lane. Every lane does, in a fixed order, the operations that
are written down, fused only where `fma` says so: the bits depend neither on the lane nor on how a kernel was compiled.
On machines with shorter vectors LLVM splits the operations.

    align_stack()           what does not fit into the registers is kept in whole lines of the cache
    pointer(x)              address of the numbers of an array; for loops, where arrays would count references
    item(p, i)              p[i], one number
    load(p, i), store(a, p, i)   p[i : i + LANES]
    splat(p, value)         lanes of p's type, all equal to value
    fma(a, b, c)            a b + c, rounded once; of lanes and numbers, or of numbers alone
    negative(a), root(a)    -a, \sqrt{a}; of lanes or of a number
    positive(a)             max(a, 0)
    widened(p, a)           float32 lanes as lanes of p's type
    halves(a)               uint64 lanes as their low and their high 32 bits, int32
    of_unsigned(a), of_signed(a)   int32 lanes, taken as that, rounded to float32
    bits_of(a), float_of(a) float32 lanes as int32 lanes of the same bits, and back

What is written with `fma`, `negative`, `root` and operators alone runs on plain numbers as well, one trajectory at a
time: on the device of a GPU, or as the plain twin in a test.
"""

from __future__ import annotations

import operator
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import lower_builtin, models, register_model

__all__ = [
    "LANES",
    "align_stack",
    "bits_of",
    "float_of",
    "fma",
    "halves",
    "item",
    "load",
    "negative",
    "of_signed",
    "of_unsigned",
    "pointer",
    "positive",
    "root",
    "splat",
    "store",
    "widened",
]

LANES: Final = 32  # 4 registers of doubles, 2 of singles: enough to hide latencies, few enough to stay in registers

intrinsic: Any = numba_intrinsic  # a type checker sees the function of Python, which takes the typing context as well

_INT32 = ir.IntType(32)


class Lanes(types.Type):
    """numba type of LANES numbers."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"Lanes({dtype}, {LANES})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        super().__init__(dmm, fe_type, _vector(fe_type.dtype))


def _element(dtype: Any) -> ir.Type:
    if isinstance(dtype, types.Float):
        return ir.DoubleType() if dtype == types.float64 else ir.FloatType()
    return ir.IntType(dtype.bitwidth)


def _vector(dtype: Any) -> ir.VectorType:
    return ir.VectorType(_element(dtype), LANES)


def _spread(builder: Any, dtype: Any, value: Any) -> Any:
    vector = _vector(dtype)
    nothing = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(nothing, value, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES))


def _as_lanes(context: Any, builder: Any, dtype: Any, kind: Any, value: Any) -> Any:
    """Lanes as they are, a number rounded to their type and spread."""
    return value if isinstance(kind, Lanes) else _spread(builder, dtype, context.cast(builder, value, kind, dtype))


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
        dtype = sig.return_type.dtype
        name = for_floats if isinstance(dtype, types.Float) else for_integers
        if name == "lshr" and dtype.signed:
            name = "ashr"
        values = [_as_lanes(context, builder, dtype, kind, v) for kind, v in zip(sig.args, args, strict=True)]
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
    of = _vector(dtype) if isinstance(kind, Lanes) else _element(dtype)
    suffix = f"v{LANES}f{dtype.bitwidth}" if isinstance(kind, Lanes) else f"f{dtype.bitwidth}"
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
        values = [_as_lanes(context, builder, kind.dtype, k, v) for k, v in zip(sig.args, args, strict=True)]
        return _call(builder, "fma", kind, *values)

    return kind(a, b, c), codegen


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
        zero = ir.Constant(_vector(a.dtype), [0.0] * LANES)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), args[0], zero)

    return a(a), codegen


@intrinsic
def pointer(typingctx: Any, x: Any) -> Any:
    """Address of the numbers of a contiguous array."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0]).data

    return types.CPointer(x.dtype)(x), codegen


@intrinsic
def item(typingctx: Any, p: Any, i: Any) -> Any:
    """p[i]."""
    return p.dtype(p, types.int64), lambda context, builder, sig, args: builder.load(builder.gep(args[0], [args[1]]))


def _place(builder: Any, p: Any, i: Any, dtype: Any) -> Any:
    return builder.bitcast(builder.gep(p, [i]), _vector(dtype).as_pointer())


@intrinsic
def load(typingctx: Any, p: Any, i: Any) -> Any:
    """p[i : i + LANES]."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = builder.load(_place(builder, args[0], args[1], p.dtype))
        value.align = p.dtype.bitwidth // 8
        return value

    return Lanes(p.dtype)(p, types.int64), codegen


@intrinsic
def store(typingctx: Any, a: Any, p: Any, i: Any) -> Any:
    """p[i : i + LANES] = a; returns i."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[0], _place(builder, args[1], args[2], p.dtype)).align = p.dtype.bitwidth // 8
        return args[2]

    return types.int64(a, p, types.int64), codegen


@intrinsic
def splat(typingctx: Any, p: Any, value: Any) -> Any:
    """Lanes of p's type, all equal to value."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _as_lanes(context, builder, p.dtype, value, args[1])

    return Lanes(p.dtype)(p, value), codegen


@intrinsic
def widened(typingctx: Any, p: Any, a: Any) -> Any:
    """float32 lanes as lanes of p's type."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return args[1] if p.dtype == a.dtype else builder.fpext(args[1], _vector(p.dtype))

    return Lanes(p.dtype)(p, a), codegen


@intrinsic
def halves(typingctx: Any, a: Any) -> Any:
    """Low and high 32 bits."""
    pair = types.UniTuple(Lanes(types.int32), 2)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        words = ir.VectorType(_INT32, 2 * LANES)
        both, nothing = builder.bitcast(args[0], words), ir.Constant(words, ir.Undefined)
        of = ir.VectorType(_INT32, LANES)
        order = [ir.Constant(of, [2 * lane + part for lane in range(LANES)]) for part in (0, 1)]
        return context.make_tuple(builder, pair, [builder.shuffle_vector(both, nothing, each) for each in order])

    return pair(a), codegen


def _conversion(name: str, to: Any) -> Any:
    """An intrinsic that turns lanes of one type into those of another by one instruction."""

    def convert(typingctx: Any, a: Any) -> Any:
        return Lanes(to)(a), lambda context, builder, sig, args: getattr(builder, name)(args[0], _vector(to))

    return intrinsic(convert)


of_unsigned = _conversion("uitofp", types.float32)
of_signed = _conversion("sitofp", types.float32)
bits_of = _conversion("bitcast", types.int32)
float_of = _conversion("bitcast", types.float32)
