"""Four lookups in the edges of a grid at once.

The compiler makes one load for each edge, and everything else for each number alone. The two edges
of a bin lie side by side: here they are loaded together, two transpositions sort the lower from the
upper ones of four bins, and the arithmetic is done on four numbers at once. That takes half of the
instructions; the operations on each number, and so the results, are the same.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

_DOUBLE, _INT32, _INT64 = ir.DoubleType(), ir.IntType(32), ir.IntType(64)
_PAIR, _FOUR = ir.VectorType(_DOUBLE, 2), ir.VectorType(_DOUBLE, 4)
_ALIGNMENT = 8
"""Bytes: that of a number, not of a vector."""


@intrinsic
def look_up_four(
    typing_context: Any, cuts: Any, bins: Any, points: Any, jacobian: Any, first: Any, count: Any
) -> Any:
    """Put four numbers into their bins, and multiply the Jacobians by the widths, in place.

    For i from ``first`` to ``first + 3``: with ``width = cuts[bins[i] + 1] - cuts[bins[i]]``,
    ``points[i]`` becomes ``cuts[bins[i]] + points[i] * width`` and ``jacobian[i]`` is multiplied by
    ``width * count``. Nothing is checked. To be called from compiled code.

    Parameters
    ----------
    cuts
        float64, shape (bins + 1,): edges of an axis.
    bins
        int32, shape (n,).
    points, jacobian
        float64, shape (n,). All arrays are contiguous.
    first
        int64.
    count
        float64.
    """
    signature = types.void(cuts, bins, points, jacobian, types.intp, types.float64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cut_data, bin_data, point_data, jacobian_data = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args[:4], arguments[:4], strict=True)
        )
        first, count = arguments[4:]
        edges = []
        for offset in range(4):
            place = builder.gep(bin_data, [builder.add(first, first.type(offset))])
            here = builder.gep(cut_data, [builder.zext(builder.load(place), _INT64)])
            edges.append(builder.load(builder.bitcast(here, _PAIR.as_pointer()), align=_ALIGNMENT))
        even = builder.shuffle_vector(edges[0], edges[2], _lanes(0, 1, 2, 3))
        odd = builder.shuffle_vector(edges[1], edges[3], _lanes(0, 1, 2, 3))
        low = builder.shuffle_vector(even, odd, _lanes(0, 4, 2, 6))
        width = builder.fsub(builder.shuffle_vector(even, odd, _lanes(1, 5, 3, 7)), low)
        point_place, jacobian_place = (
            builder.bitcast(builder.gep(data, [first]), _FOUR.as_pointer())
            for data in (point_data, jacobian_data)
        )
        inside = builder.load(point_place, align=_ALIGNMENT)
        # Multiplication and addition may be one instruction, as in the functions that call this.
        step = builder.fmul(inside, width, flags=("contract",))
        builder.store(builder.fadd(low, step, flags=("contract",)), point_place, align=_ALIGNMENT)
        one = builder.insert_element(ir.Constant(_FOUR, ir.Undefined), count, _INT32(0))
        counts = builder.shuffle_vector(one, one, _lanes(0, 0, 0, 0))
        old = builder.load(jacobian_place, align=_ALIGNMENT)
        builder.store(
            builder.fmul(old, builder.fmul(width, counts)), jacobian_place, align=_ALIGNMENT
        )
        return context.get_dummy_value()

    return signature, generate


def _lanes(*numbers: int) -> Any:
    return ir.Constant(ir.VectorType(_INT32, len(numbers)), list(numbers))
