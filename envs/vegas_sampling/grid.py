"""The grid of VEGAS: a map from uniform numbers to points, axis by axis, that can be refined.

Each axis of the unit hypercube is cut into bins that are equally probable: a bin's width is the
inverse of the density there. Source: G. P. Lepage, J. Comput. Phys. 27 (1978) 192 and
arXiv:2009.05112.

Blocks are component-major, shape (dim, n), so that loops over points vectorise. All functions are
compiled and may be called from compiled code.
"""

from __future__ import annotations

import numba
import numpy as np

from .lookup import look_up_four

kernel = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@kernel
def uniform_edges(dim, bins):  # type: ignore[no-untyped-def]
    """Make a grid with bins of equal width.

    Parameters
    ----------
    dim, bins
        Numbers of axes and of bins on each.

    Returns
    -------
    numpy.ndarray
        float64, shape (dim, bins + 1): edges from 0 to 1.
    """
    edges = np.empty((dim, bins + 1))
    for k in range(dim):
        for b in range(bins + 1):
            edges[k, b] = b / bins
    return edges


@kernel
def map_block(edges, points, jacobian, bins):  # type: ignore[no-untyped-def]
    """Map uniform numbers to points of the grid, in place.

    Parameters
    ----------
    edges
        float64, shape (dim, bins + 1).
    points
        float64, shape (dim, n): uniform numbers in [0, 1] on entry, points in [0, 1] afterwards.
    jacobian
        float64, shape (n,), written: the inverse of the density of each point.
    bins
        int32, shape (dim, n), written: the bin of each coordinate.
    """
    count = edges.shape[1] - 1
    last = np.int32(count - 1)
    fours = points.shape[1] // 4 * 4
    jacobian[:] = 1.0
    for k in range(points.shape[0]):
        cuts, x, bin_of = edges[k], points[k], bins[k]
        for i in range(len(x)):
            scaled = x[i] * count
            # A number just below 1 may have been rounded to 1.
            b = min(np.int32(scaled), last)
            bin_of[i] = b
            x[i] = scaled - b
        for i in range(0, fours, 4):
            look_up_four(cuts, bin_of, x, jacobian, i, np.float64(count))  # type: ignore[call-arg]
        for i in range(fours, len(x)):
            here = np.uint32(bin_of[i])
            low = cuts[here]
            width = cuts[here + np.uint32(1)] - low
            x[i] = low + x[i] * width
            jacobian[i] *= width * count


@kernel
def accumulate(bins, weights, histogram):  # type: ignore[no-untyped-def]
    """Add each point's weight to its bin on every axis.

    Parameters
    ----------
    bins
        int32, shape (dim, n).
    weights
        float64, shape (n,), usually the square of integrand times Jacobian.
    histogram
        float64, shape (dim, bins), added to.
    """
    dim = bins.shape[0]
    # Two axes at once: their additions do not wait for each other.
    for k in range(0, dim - 1, 2):
        row, bin_of = histogram[k], bins[k]
        other_row, other_bin_of = histogram[k + 1], bins[k + 1]
        for i in range(len(weights)):
            weight = weights[i]
            row[np.uint32(bin_of[i])] += weight
            other_row[np.uint32(other_bin_of[i])] += weight
    if dim % 2:
        row, bin_of = histogram[dim - 1], bins[dim - 1]
        for i in range(len(weights)):
            row[np.uint32(bin_of[i])] += weights[i]


@kernel
def refine(edges, histogram, alpha):  # type: ignore[no-untyped-def]
    """Move the edges so that bins with large weights become narrower, in place.

    Lepage's rule: the weights of an axis are smoothed over neighbours (1 : 6 : 1), normalised to a
    sum of 1, damped to ((1 - w) / ln(1 / w))^alpha, and new edges share them equally. An axis
    without weight stays as it is.

    Parameters
    ----------
    edges
        float64, shape (dim, bins + 1), changed.
    histogram
        float64, shape (dim, bins).
    alpha
        Damping, 0 (no change) to 3 or so.
    """
    count = histogram.shape[1]
    damped = np.empty(count)
    moved = np.empty(count + 1)
    for k in range(histogram.shape[0]):
        total = damp(histogram[k], alpha, damped)
        if total > 0.0:
            share_equally(edges[k], damped, total, moved)
            edges[k] = moved


@kernel
def damp(weights, alpha, damped):  # type: ignore[no-untyped-def]
    """Smooth, normalise and damp the weights of an axis.

    Parameters
    ----------
    weights
        float64, shape (bins,).
    alpha
        Damping.
    damped
        float64, shape (bins,), written.

    Returns
    -------
    float
        Sum of the damped weights; 0 if there are none, infinite or not-a-number weights.
    """
    count = len(weights)
    if count == 1:
        return 0.0
    total = 0.0
    for b in range(count):
        total += weights[b]
    if not 0.0 < total < np.inf:
        return 0.0
    result = 0.0
    for b in range(count):
        if b == 0:
            smooth = 7.0 * weights[0] + weights[1]
        elif b == count - 1:
            smooth = weights[b - 1] + 7.0 * weights[b]
        else:
            smooth = weights[b - 1] + 6.0 * weights[b] + weights[b + 1]
        share = smooth / (8.0 * total)
        if share <= 0.0:
            damped[b] = 0.0
        elif share >= 1.0:
            damped[b] = 1.0
        else:
            damped[b] = ((share - 1.0) / np.log(share)) ** alpha
        result += damped[b]
    return result


@kernel
def share_equally(cuts, weights, total, moved):  # type: ignore[no-untyped-def]
    """Find edges between which the weights, spread evenly within old bins, are equal.

    Parameters
    ----------
    cuts
        float64, shape (bins + 1,): old edges.
    weights
        float64, shape (bins,): weights of the old bins.
    total
        Their sum.
    moved
        float64, shape (bins + 1,), written: new edges, first and last as before.
    """
    count = len(weights)
    share = total / count
    moved[0], moved[count] = cuts[0], cuts[count]
    b, before = 0, 0.0
    for new in range(1, count):
        wanted = new * share
        while b < count - 1 and before + weights[b] < wanted:
            before += weights[b]
            b += 1
        fraction = min((wanted - before) / weights[b], 1.0) if weights[b] > 0.0 else 0.0
        moved[new] = cuts[b] + fraction * (cuts[b + 1] - cuts[b])


@kernel
def density(edges, points, out):  # type: ignore[no-untyped-def]
    """Density of given points under the grid.

    Parameters
    ----------
    edges
        float64, shape (dim, bins + 1).
    points
        float64, shape (n, dim), in [0, 1].
    out
        float64, shape (n,), written.
    """
    count = edges.shape[1] - 1
    for i in range(len(points)):
        product = 1.0
        for k in range(points.shape[1]):
            b = np.searchsorted(edges[k], points[i, k], side="right") - 1
            b = min(max(b, 0), count - 1)
            product *= (edges[k, b + 1] - edges[k, b]) * count
        out[i] = 1.0 / product
