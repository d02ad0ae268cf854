"""Arrays that a kernel borrows from its caller: without counting references to them.

numba counts a reference, by an atomic operation, wherever an array is taken out of a tuple or sliced. In a kernel that
works on tens of short arrays this takes a sixth of its time. The caller of a kernel keeps the arrays alive as long as
the kernel runs, so that nothing has to be counted.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic

__all__ = ["borrowed"]

intrinsic: Any = numba_intrinsic  # a type checker sees the function of Python, which takes the typing context as well


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    parts: Any = kind
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        for index, part in enumerate(parts):
            inner = builder.extract_value(value, index)
            value = builder.insert_value(value, _without_owner(context, builder, part, inner), index)
    return value


@intrinsic
def borrowed(typingctx: Any, value: Any) -> Any:
    """The same array, or tuple of arrays and tuples, for use until the kernel that was given it returns."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _without_owner(context, builder, signature.args[0], args[0])

    return value(value), codegen
