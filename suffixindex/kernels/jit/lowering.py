"""How Numba writes kernels down for LLVM: numbers and addresses, where it would keep whole arrays.

A variable that several blocks use has a place on the stack in Numba's code, all of which is read before it is written and cleared
when it is done with, and each access to an array takes all seven fields of it. LLVM undoes that again, in half of the time that
a kernel takes. None of this changes what a kernel does; that nothing counts references makes it possible.
"""

from collections import Counter
from typing import Any

from numba.core import cgutils, ir, lowering, typed_passes, types
from numba.core.compiler_machinery import register_pass
from numba.np.arrayobj import load_item, store_item


class _Lower(lowering.Lower):
    def _find_singly_assigned_variable(self) -> None:
        """Variables that are values of LLVM's: what is assigned once in all, which in SSA form comes before every use."""
        assigned: Counter[str] = Counter()
        early: set[str] = set()  # used in a block that is written down before
        for _, block in sorted(self.blocks.items()):
            for statement in block.body:
                target = statement.target.name if isinstance(statement, ir.Assign) else None
                early.update(used.name for used in statement.list_vars() if used.name != target and used.name not in assigned)
                if target is not None:
                    assigned[target] += 1
        self._blk_local_varmap: dict[str, Any] = {}
        self._singly_assigned_vars = {name for name, times in assigned.items() if times == 1 and name not in early}

    def storevar(self, value: Any, name: str, argidx: int | None = None) -> None:
        if name in self._singly_assigned_vars:
            super().storevar(value, name, argidx)
        else:
            self.builder.store(value, self.getvar(name))

    def lower_binop(self, resty: Any, expr: Any, op: Any) -> Any:
        """As the types say. Numba looks up what there is for each operand if its value is known, which is power alone."""
        typing, signature = self.context.typing_context, self.fndesc.calltypes[expr]
        function = typing.resolve_value_type(op)
        if expr.op == "inplace_binop":  # whose type is that of another function
            signature = function.get_call_type(typing, signature.args, {})
        operation = self.context.get_function(function, signature)
        operands = [
            self.context.cast(self.builder, self.loadvar(operand.name), self.typeof(operand.name), wanted)
            for operand, wanted in zip((expr.lhs, expr.rhs), signature.args, strict=True)
        ]
        return self.context.cast(self.builder, operation(self.builder, operands), signature.return_type, resty)

    def lower_getitem(self, resty: Any, expr: Any, value: Any, index: Any, signature: Any) -> Any:
        address = self._address(value, index, signature)
        if address is None:
            return super().lower_getitem(resty, expr, value, index, signature)
        item = load_item(self.context, self.builder, self.typeof(value.name), address)
        return self.context.cast(self.builder, item, signature.return_type, resty)

    def lower_setitem(self, target: Any, index: Any, value: Any, signature: Any) -> Any:
        address = self._address(target, index, signature)
        if address is None:
            return super().lower_setitem(target, index, value, signature)
        array, given = self.typeof(target.name), signature.args[2]
        item = self.context.cast(self.builder, self.loadvar(value.name), self.typeof(value.name), given)
        return store_item(self.context, self.builder, array, self.context.cast(self.builder, item, given, array.dtype), address)

    def _address(self, array: Any, index: Any, signature: Any) -> Any:
        """Where one element of a C-contiguous array is; None where something else is indexed, or bounds are checked."""
        builder, context, kind, given = self.builder, self.context, self.typeof(array.name), signature.args[1]
        axes = list(given) if isinstance(given, types.UniTuple | types.Tuple) else [given]
        is_element = isinstance(kind, types.Array) and kind.layout == "C" and kind.ndim == len(axes)
        if context.enable_boundscheck or not is_element or not all(isinstance(axis, types.Integer) for axis in axes):
            return None
        at = context.cast(builder, self.loadvar(index.name), self.typeof(index.name), given)
        offset = None
        for number, axis in enumerate(axes):
            place = builder.extract_value(at, number) if given is not axis else at
            place = context.cast(builder, place, axis, types.intp if axis.signed else types.uintp)
            if axis.signed:  # negative ones count from the end
                size = self._field(array, "shape", number)
                place = builder.select(builder.icmp_signed("<", place, place.type(0)), builder.add(place, size), place)
            offset = place if offset is None else builder.add(builder.mul(offset, self._field(array, "shape", number)), place)
        return builder.gep(self._field(array, "data"), [offset])

    def _field(self, array: Any, name: str, *inner: int) -> Any:
        position = self.context.data_model_manager[self.typeof(array.name)].get_field_position(name)
        if array.name in self._blk_local_varmap:
            return self.builder.extract_value(self.loadvar(array.name), (position, *inner))
        return self.builder.load(cgutils.gep_inbounds(self.builder, self.getvar(array.name), 0, position, *inner))


@register_pass(mutates_CFG=True, analysis_only=False)
class Lowering(typed_passes.NativeLowering):
    """Numba's step of that name."""

    _name = "kernel_lowering"

    @property
    def lowering_class(self) -> type[_Lower]:
        return _Lower
