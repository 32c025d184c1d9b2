"""Values of LANES frames side by side: vectors, whatever a compiler makes of loops.

A loop over lanes becomes vectors only where a compiler proves that its arrays do not overlap, which it then asks anew
for every row.  In compiled functions, these names stand for what happens to all lanes at once, each rounded as IEEE
arithmetic has it, as in the loop; ``+ - *`` and ``-x`` take lanes, too.  Python cannot call them.
`quotient` is Markstein's (1990), IBM Journal of Research and Development 34: a division takes ten times as long.
"""

import platform
from collections.abc import Callable
from functools import lru_cache
from typing import Any

LANES = 16


class Instruction:
    """A name in compiled functions that stands for a few instructions."""

    def __init__(self, name: str) -> None:
        self.name = name


at: Any = Instruction("at")  # (array, index): what begins at a flat index of an array
put: Any = Instruction("put")  # (array, index, lanes): write them there
spread: Any = Instruction("spread")  # (number): in all lanes
wide: Any = Instruction("wide")  # (lanes): float32 as float64
narrow: Any = Instruction("narrow")  # (lanes): float64 rounded to float32
root: Any = Instruction("root")  # (lanes)
positive: Any = Instruction("positive")  # (lanes): 0 where they are negative
smaller: Any = Instruction("smaller")  # (a, b): of each lane the smaller
larger: Any = Instruction("larger")  # (a, b): of each lane the larger
quotient: Any = Instruction("quotient")  # (a, b, inverse): a / b as it is rounded, sooner, given 1 / b as it is rounded


@lru_cache
def teach() -> None:
    """Tell numba what these are."""
    import operator

    import llvmlite.binding as llvm  # type: ignore[import-untyped]
    from llvmlite import ir
    from numba import types
    from numba.core.typing.templates import AbstractTemplate, infer_global, make_intrinsic_template, signature
    from numba.extending import lower_builtin, models, register_model, typeof_impl

    can_fuse = platform.machine() in ("aarch64", "arm64") or llvm.get_host_cpu_features().get("fma", False)
    numbers = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}
    vectors = {dtype: ir.VectorType(number, LANES) for dtype, number in numbers.items()}

    class Lanes(types.Type):  # type: ignore[misc]
        def __init__(self, dtype: Any) -> None:
            self.dtype = dtype
            super().__init__(f"{LANES} x {dtype}")

    @register_model(Lanes)
    class Model(models.PrimitiveModel):  # type: ignore[misc]
        def __init__(self, manager: Any, kind: Any) -> None:
            super().__init__(manager, kind, vectors[kind.dtype])

    single, double = Lanes(types.float32), Lanes(types.float64)
    of = {types.float32: single, types.float64: double}

    def place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
        start = builder.gep(context.make_array(kind)(context, builder, array).data, [index])
        return builder.bitcast(start, vectors[kind.dtype].as_pointer())

    def load(array: Any, index: Any) -> Any:
        def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.load(place(context, builder, sig.args[0], *args), align=sig.args[0].dtype.bitwidth // 8)

        return signature(of[array.dtype], array, types.intp), code

    def store(array: Any, index: Any, values: Any) -> Any:
        def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            to = place(context, builder, sig.args[0], *args[:2])
            builder.store(args[2], to, align=sig.args[0].dtype.bitwidth // 8)
            return context.get_dummy_value()

        return signature(types.none, array, types.intp, of[array.dtype]), code

    def filled(value: Any) -> Any:
        def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            none = ir.Constant(vectors[sig.args[0]], ir.Undefined)
            first = builder.insert_element(none, args[0], ir.IntType(32)(0))
            return builder.shuffle_vector(first, none, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

        return signature(of[value], value), code

    def widened(x: Any) -> Any:
        return signature(double, single), lambda c, builder, s, args: builder.fpext(args[0], vectors[types.float64])

    def narrowed(x: Any) -> Any:
        return signature(single, double), lambda c, builder, s, args: builder.fptrunc(args[0], vectors[types.float32])

    def called(name: str, builder: Any, args: Any) -> Any:
        kind = args[0].type
        letter = "f32" if kind == vectors[types.float32] else "f64"
        function_type, full_name = ir.FunctionType(kind, [kind] * len(args)), f"llvm.{name}.v{LANES}{letter}"
        known = builder.module.globals.get(full_name)
        return builder.call(known or ir.Function(builder.module, function_type, full_name), args)

    def rooted(x: Any) -> Any:
        return signature(x, x), lambda c, builder, s, args: called("sqrt", builder, args)

    def divided(a: Any, b: Any, inverse: Any) -> Any:
        def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            dividend, divisor, reciprocal = args
            if not can_fuse:
                return builder.fdiv(dividend, divisor)
            near = builder.fmul(dividend, reciprocal)
            for _ in range(2):  # the first comes within one unit of the last place, from where the second is exact
                rest = called("fma", builder, (builder.fneg(near), divisor, dividend))
                near = called("fma", builder, (rest, reciprocal, near))
            return near

        return signature(a, a, a, a), code

    def above(x: Any) -> Any:
        def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            zero = ir.Constant(args[0].type, [0.0] * LANES)
            return builder.select(builder.fcmp_ordered("<", args[0], zero), zero, args[0])

        return signature(x, x), code

    def chosen(comparison: str) -> Callable[..., Any]:
        def choice(a: Any, b: Any) -> Any:
            def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                return builder.select(builder.fcmp_ordered(comparison, *args), *args)

            return signature(a, a, b), code

        return choice

    meanings: dict[Instruction, Callable[..., Any]] = {
        at: load, put: store, spread: filled, wide: widened, narrow: narrowed,
        root: rooted, positive: above, smaller: chosen("<"), larger: chosen(">"), quotient: divided,
    }  # fmt: skip

    def typed(instruction: Instruction, meaning: Callable[..., Any]) -> Any:
        n = meaning.__code__.co_argcount
        if n == 1:
            return make_intrinsic_template(instruction, lambda context, a: meaning(a), instruction.name)
        if n == 2:
            return make_intrinsic_template(instruction, lambda context, a, b: meaning(a, b), instruction.name)
        return make_intrinsic_template(instruction, lambda context, a, b, c: meaning(a, b, c), instruction.name)

    known = {instruction: types.Function(typed(instruction, meaning)) for instruction, meaning in meanings.items()}
    typeof_impl.register(Instruction)(lambda value, context: known[value])

    for operation, name in (
        (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.neg, "fneg"),
    ):  # fmt: skip
        n = 1 if name == "fneg" else 2

        @infer_global(operation)
        class Arithmetic(AbstractTemplate):  # type: ignore[misc]
            def generic(self, args: Any, kws: Any, n: int = n) -> Any:
                if isinstance(args[0], Lanes) and args == (args[0],) * n:
                    return signature(args[0], *args)
                return None

        lower_builtin(operation, *(Lanes,) * n)(lambda c, builder, s, args, name=name: getattr(builder, name)(*args))
