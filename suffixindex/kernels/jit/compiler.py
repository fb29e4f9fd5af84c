"""How Numba compiles kernels: without what they have no use for, in less than half of the time. It names what is Numba's own."""

import gc
import operator
from collections.abc import Callable
from typing import Any, ClassVar

from numba.core import typed_passes, types, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager, register_pass

from suffixindex.kernels.jit.loading import load_arrays
from suffixindex.kernels.jit.lowering import Lowering

load_arrays()


class _Remembering:
    """Numba's typing context, which is asked once for what a function makes of types, not in every round of every kernel."""

    known: ClassVar[dict[Any, Any]] = {}

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, function: Any, arguments: Any, keywords: Any) -> Any:
        if keywords or not all(isinstance(argument, types.Type) for argument in arguments):
            return self._context.resolve_function_type(function, arguments, keywords)
        return self._once(lambda *call: self._context.resolve_function_type(*call, {}), function, tuple(arguments))

    def resolve_setitem(self, *arguments: Any) -> Any:
        return self.resolve_function_type(self.resolve_value_type(operator.setitem), arguments, {})

    def _once(self, ask: Callable[..., Any], *question: Any) -> Any:
        if question not in self.known:
            self.known[question] = ask(*question)
        return self.known[question]


@register_pass(mutates_CFG=True, analysis_only=False)
class _TypeInference(typed_passes.NopythonTypeInference):
    """Numba's step of that name."""

    _name = "kernel_type_inference"

    def run_pass(self, state: Any) -> bool:
        context = state.typingctx
        state.typingctx = _Remembering(context)
        try:
            return bool(super().run_pass(state))
        finally:
            state.typingctx = context


PASSES = (
    (untyped_passes.TranslateByteCode, "analyzing bytecode"),
    (untyped_passes.FixupArgs, "fix up args"),
    (untyped_passes.IRProcessing, "processing IR"),
    (untyped_passes.GenericRewrites, "nopython rewrites"),
    (untyped_passes.ReconstructSSA, "ssa"),
    (_TypeInference, "nopython frontend"),
    (typed_passes.PreLowerStripPhis, "remove phis nodes"),
    (Lowering, "native lowering"),
    (typed_passes.NoPythonBackend, "nopython mode backend"),
)
"""What Numba does with a kernel: half of what it mostly does, since loops over arrays hold no closures or array expressions."""


class _Code(JITCodeLibrary):
    """Code that is optimized as a whole, and not function by function before."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = str(self._codegen.target_data)


class _LinkedCode(_Code):
    """What only kernels call: optimized and translated as a piece of each of these, and not once more by itself."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True

    @property
    def codegen(self) -> "_LinkedCode":
        """Whom Numba tells of the environment, in which such code looks nothing up."""
        return self

    def set_env(self, name: str, environment: Any) -> None:
        pass


class Kernel(CompilerBase):
    """The compiler of kernels."""

    code = _Code

    def define_pipelines(self) -> list[Any]:
        self.state.library = self.code(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.library.enable_object_caching()
        passes = PassManager("kernel")
        for made, what in PASSES:
            passes.add_pass(made, what)
        passes.finalize()
        return [passes]

    def compile_extra(self, function: Any) -> Any:
        """Compile, while the garbage collector waits: it would look at all that Numba makes, which stays, again and again."""
        waits = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(function)
        finally:
            if waits:
                gc.enable()


class Part(Kernel):
    """Of what they call. Its flags are set here, since what Numba compiles for it is compiled again where they are others."""

    code = _LinkedCode
    forceinline = False

    def define_pipelines(self) -> list[Any]:
        self.state.flags.no_cpython_wrapper = True
        self.state.flags.forceinline = self.forceinline
        return super().define_pipelines()


class Helper(Part):
    forceinline = True
