"""Arrays that a kernel borrows from its caller: tuples of them by reference, without counting references to arrays.

numba passes a named tuple of arrays by value, seven words an array, and counts a reference, by an atomic operation,
wherever an array is taken out of it or sliced. In a kernel that works on tens of short arrays this takes a sixth of its
time, and most of the time of its compilation. The caller of a kernel keeps the arrays alive as long as the kernel runs,
so that nothing has to be copied or counted.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, lower_getattr_generic, models, register_model
from numba.extending import intrinsic as numba_intrinsic

__all__ = ["Borrowed", "borrowed"]

intrinsic: Any = numba_intrinsic  # a type checker sees the function of Python, which takes the typing context as well


class Borrowed(types.Type):
    """numba type of the address of a named tuple, with its fields as attributes; those of tuples are borrowed too."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        super().__init__(name=f"Borrowed({kind})")

    @property
    def instance_class(self) -> type:
        """As that of the type of the tuple."""
        found: type = self.kind.instance_class
        return found

    def field(self, name: str) -> Any:
        """Type of a field."""
        kind = self.kind.types[self.kind.fields.index(name)]
        return Borrowed(kind) if isinstance(kind, types.BaseNamedTuple) else kind


@register_model(Borrowed)
class _Address(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, manager.lookup(kind.kind).get_value_type().as_pointer())


@infer_getattr
class _Fields(AttributeTemplate):
    key = Borrowed

    def generic_resolve(self, borrowed: Any, name: str) -> Any:  # type: ignore[override]
        return borrowed.field(name) if name in borrowed.kind.fields else None


@lower_getattr_generic(Borrowed)
def _get(context: Any, builder: Any, kind: Any, address: Any, name: str) -> Any:
    place = cgutils.gep_inbounds(builder, address, 0, kind.kind.fields.index(name))
    field = kind.field(name)
    return place if isinstance(field, Borrowed) else _without_owner(context, builder, field, builder.load(place))


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    return value


@intrinsic
def borrowed(typingctx: Any, value: Any) -> Any:
    """The same array, or the address of a named tuple, for use until the kernel that was given it returns."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if isinstance(signature.args[0], types.BaseNamedTuple):
            return cgutils.alloca_once_value(builder, args[0])
        return _without_owner(context, builder, signature.args[0], args[0])

    result = Borrowed(value) if isinstance(value, types.BaseNamedTuple) else value
    return result(value), codegen
