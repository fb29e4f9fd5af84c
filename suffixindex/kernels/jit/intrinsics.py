"""What kernels ask of the processor that Python has no word for."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic


def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of ``array[index]``; a hint, so an index past the end is harmless."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, index_type = signature.args
        index = context.cast(builder, arguments[1], index_type, types.int64)
        if isinstance(array_type, types.Array):
            data = context.make_array(array_type)(context, builder, value=arguments[0]).data
            address = builder.bitcast(builder.gep(data, [index]), ir.IntType(8).as_pointer())
        else:  # of `stored`
            first = cgutils.create_struct_proxy(array_type)(context, builder, arguments[0]).address
            offset = builder.mul(index, ir.Constant(ir.IntType(64), array_type.width))
            address = builder.inttoptr(builder.add(first, offset), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [address.type, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        read, keep_in_all_caches, data_cache = word(0), word(3), word(1)
        builder.call(function, [address, read, keep_in_all_caches, data_cache])
        return context.get_dummy_value()

    return types.void(array, index), emit


def _word_at(typing_context: Any, memory: Any, index: Any) -> Any:
    """The eight bytes from ``memory[index]`` on as a number, the first one lowest; their address needs no alignment."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, index_type = signature.args
        index = context.cast(builder, arguments[1], index_type, types.int64)
        data = context.make_array(array_type)(context, builder, value=arguments[0]).data
        word = builder.bitcast(builder.gep(data, [index]), ir.IntType(64).as_pointer())
        return builder.load(word, align=1)

    return types.uint64(memory, index), emit


def _word_at_interpreted(memory: Any, index: Any) -> Any:
    """What ``word_at`` is when the JIT is off."""
    return memory[index : index + 8].view("<u8")[0]


def _scratch(typing_context: Any, size: Any, number: Any) -> Any:
    """An array of ``size`` numbers of any value, some KiB on the stack, for a kernel alone; made outside of loops."""
    array = types.Array(number.instance_type, 1, "C")

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from numba.np.arrayobj import populate_array

        count = context.cast(builder, arguments[0], size, types.intp)
        kind = context.get_data_type(array.dtype)
        width = context.get_constant(types.intp, context.get_abi_sizeof(kind))
        made = context.make_array(array)(context, builder)
        populate_array(made, builder.alloca(kind, size=count), [count], [width], width, None)
        return made._getvalue()

    return array(size, number), emit


def _prefetch_nothing(array: Any, index: Any) -> None:
    """What ``prefetch`` is when the JIT is off."""


INTERPRETED = bool(getattr(numba.config, "DISABLE_JIT", False))
prefetch: Callable[..., Any] = _prefetch_nothing if INTERPRETED else intrinsic(_prefetch)
"""``prefetch(array, index)`` in a kernel; overlapping cache misses is worth 3-5 times in batch searches."""

scratch: Callable[..., Any] = np.empty if INTERPRETED else intrinsic(_scratch)
"""``scratch(size, np.int64)`` in a kernel: ``np.empty`` on the stack, of which no references are counted."""

word_at: Callable[..., Any] = _word_at_interpreted if INTERPRETED else intrinsic(_word_at)
"""``word_at(memory, index)`` in a kernel: one load from an array of bytes. That it ends inside the array is not checked."""
