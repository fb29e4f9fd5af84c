"""Arrays as other engines store them, for kernels: packed numbers, and tokens whose last separator is not on disk.

A kernel reads ``array[i]``, ``len(array)`` and ``prefetch(array, i)`` as of any array; here is what these compile to. The
values are plain numbers, addresses among them, so that no access counts references. The classes themselves, which say what
each number means, are in :mod:`suffixindex.foreign.arrays`.
"""

import operator
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import (
    NativeValue,
    intrinsic,
    lower_builtin,
    make_attribute_wrapper,
    models,
    overload,
    register_model,
    type_callable,
    unbox,
)

TABLE_FIELDS = ("address", "stored", "length", "shift", "base", "last", "moved_from", "moved_to", "starts", "deltas", "pieces")
TOKENS_FIELDS = ("address", "stored", "length", "separator", "stored_separator")


class StoredTable(types.Type):
    """Numbers of ``width`` bytes each."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"StoredTable({width})")


class StoredTokens(types.Type):
    """Tokens of one type, in ``width`` bytes each; ``swapped`` if suffixes are in the order of these, not of the ids."""

    def __init__(self, dtype: Any, width: int, swapped: bool) -> None:
        self.dtype = dtype
        self.width = width
        self.swapped = swapped
        super().__init__(name=f"StoredTokens({dtype}, {width}, {swapped})")


def _register(kind: type[types.Type], fields: tuple[str, ...]) -> None:
    @register_model(kind)
    class Model(models.StructModel):
        def __init__(self, manager: Any, type_: Any) -> None:
            super().__init__(manager, type_, [(name, types.int64) for name in fields])

    for name in fields:
        make_attribute_wrapper(kind, name, name)

    @unbox(kind)  # type: ignore[untyped-decorator]
    def read_fields(type_: Any, value: Any, context: Any) -> NativeValue:
        """The numbers of a Python object, from the memory that its ``fields_address`` names."""
        builder = context.builder
        attribute = context.pyapi.object_getattr_string(value, "fields_address")
        address = context.pyapi.long_as_longlong(attribute)
        context.pyapi.decref(attribute)
        first = builder.inttoptr(address, ir.IntType(64).as_pointer())
        struct = cgutils.create_struct_proxy(type_)(context.context, builder)
        for place, name in enumerate(fields):
            setattr(struct, name, builder.load(builder.gep(first, [ir.Constant(ir.IntType(64), place)])))
        return NativeValue(struct._getvalue(), is_error=cgutils.is_not_null(builder, context.pyapi.err_occurred()))

    @overload(len)
    def length_of(array):
        return (lambda array: array.length) if isinstance(array, kind) else None


_register(StoredTable, TABLE_FIELDS)
_register(StoredTokens, TOKENS_FIELDS)


@intrinsic
def _load(typing_context: Any, array: Any, place: Any) -> Any:
    """The ``place``-th number on disk, of any width, aligned or not: five bytes are two loads."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        address = cgutils.create_struct_proxy(kind)(context, builder, arguments[0]).address
        width = ir.Constant(ir.IntType(64), kind.width)
        number = ir.IntType(8 * kind.width)
        at = builder.inttoptr(builder.add(address, builder.mul(arguments[1], width)), number.as_pointer())
        loaded = builder.load(at, align=1)
        return loaded if kind.width == 8 else builder.zext(loaded, ir.IntType(64))

    return types.int64(array, types.int64), emit


@intrinsic
def _number(typing_context: Any, address: Any, place: Any) -> Any:
    """The ``place``-th of the int64 numbers at an address."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load(builder.gep(first, [arguments[1]]))

    return types.int64(types.int64, types.int64), emit


@numba.njit(nogil=True, error_model="numpy")
def _piece(table, rank):
    """``rank`` among the entries on disk: by the piece that holds it."""
    below, above = 0, table.pieces
    while below + 1 < above:
        middle = (below + above) >> 1
        if _number(table.starts, middle) <= rank:
            below = middle
        else:
            above = middle
    return rank + _number(table.deltas, below)


@overload(operator.getitem)
def _getitem(array, place):
    if isinstance(array, StoredTable):

        def entry(array, place):
            rank = numba.int64(place)
            if rank >= array.moved_from and rank < array.moved_to:
                rank = _piece(array, rank)
            if rank >= array.stored:
                return array.last
            value = (_load(array, rank) >> array.shift) - array.base
            return value if value >= 0 else array.last

        return entry
    if isinstance(array, StoredTokens):
        dtype = array.dtype

        def token(array, place):
            at = numba.int64(place)
            if at >= array.stored or at < 0:
                return dtype(array.separator)
            value = _load(array, at)
            return dtype(array.separator if value == array.stored_separator else value)

        return token
    return None


def place(tokens, token):
    """Where an id stands in the order of the suffixes of ``tokens``: at its number, but for what another engine sorted."""
    return tokens.place(token) if hasattr(tokens, "place") else token


@type_callable(place)
def _place_type(context):
    return lambda tokens, token: types.int64


@lower_builtin(place, types.Any, types.Integer)
def _place(context, builder, signature, arguments):
    """The id itself; of stored tokens, by what it is on disk, or by its bytes the other way around."""
    tokens, token = signature.args[0], context.cast(builder, arguments[1], signature.args[1], types.int64)
    if not isinstance(tokens, StoredTokens):
        return token
    if tokens.swapped and tokens.width > 1:
        number = ir.IntType(8 * tokens.width)
        return builder.zext(builder.bswap(builder.trunc(token, number)), token.type)
    stored = cgutils.create_struct_proxy(tokens)(context, builder, arguments[0])
    return builder.select(builder.icmp_signed("==", token, stored.separator), stored.stored_separator, token)
