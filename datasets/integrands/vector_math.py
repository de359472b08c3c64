"""Elementary functions that the compiler can vectorise inside compiled loops.

`math.exp` is a call into the C library for each number, which keeps a loop from being vectorised.
The functions here are plain arithmetic.
"""

from __future__ import annotations

import math
from typing import Any

import numba
from numba import types
from numba.extending import intrinsic

LOG2_E = 1.0 / math.log(2.0)
# ln 2 in two parts: the product of the first with an integer below 2^20 is exact.
LN_2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
LN_2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
# Adding it rounds a small number to the integer in the last bits of the mantissa.
ROUND = 1.5 * 2.0**52

SMALLEST, LARGEST = -708.0, 709.0
"""`exp` is 0 below the first and infinite above the second."""

C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12 = (1.0 / math.factorial(k) for k in range(2, 13))


def _float_bits(typingctx, number):  # type: ignore[no-untyped-def]
    """Bits of a float64 as an int64."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


def _bits_float(typingctx, bits):  # type: ignore[no-untyped-def]
    """Float64 that has the bits of an int64."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generate


float_bits: Any = intrinsic(_float_bits)
bits_float: Any = intrinsic(_bits_float)


@numba.njit(cache=True, error_model="numpy", fastmath={"contract"})
def exp(x):  # type: ignore[no-untyped-def]
    """Exponential with a relative error below 4e-16, for use inside compiled loops.

    The argument is split as x = n ln 2 + r with an integer n and abs(r) < ln(2)/2; exp(r) is its
    Taylor series to degree 12, whose remainder is below 2e-16.

    Parameters
    ----------
    x
        float64. The result is 0 below `SMALLEST` and infinite above `LARGEST`.
    """
    inside = min(max(x, SMALLEST), LARGEST)
    shifted = inside * LOG2_E + ROUND
    n = shifted - ROUND
    r = (inside - n * LN_2_HIGH) - n * LN_2_LOW
    series = C12
    series = series * r + C11
    series = series * r + C10
    series = series * r + C9
    series = series * r + C8
    series = series * r + C7
    series = series * r + C6
    series = series * r + C5
    series = series * r + C4
    series = series * r + C3
    series = series * r + C2
    series = (series * r) * r + r + 1.0
    result = bits_float(float_bits(series) + (float_bits(shifted) << 52))
    if x < SMALLEST:
        result = 0.0
    if x > LARGEST:
        result = math.inf
    return result
