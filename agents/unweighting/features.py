"""What a surrogate sees of an event gg -> g g t tbar."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

FEATURES = 15
"""Number of features: pairs of the six partons."""

_GLUON_1, _GLUON_2, _TOP, _ANTITOP = 2, 3, 4, 5


def features(momenta: NDArray[np.float64]) -> NDArray[np.float32]:
    """Logarithms of the scalar products of all pairs of momenta.

    Tree-level squared amplitudes are rational functions of the products, and in the soft and
    collinear limits sums of products of powers of them (dipole factors p_i.p_k / (p_i.q q.p_k);
    arXiv:2301.13562), which are close to linear in the logarithms. The squared amplitude does not
    change if the outgoing gluons, the incoming ones, or top and antitop are exchanged: the one of
    each pair that comes first is fixed.

    Parameters
    ----------
    momenta
        float64, shape (n, 6, 4): (E, px, py, pz) in GeV of two incoming gluons, two outgoing ones,
        top and antitop.

    Returns
    -------
    numpy.ndarray
        float32, shape (n, FEATURES): ln(p_i.p_j / (p_1.p_2)) for all pairs but the incoming one,
        for which it is ln(p_1.p_2 / GeV^2).
    """
    ordered = momenta.copy()
    _swap(ordered, _GLUON_1, _GLUON_2, momenta[:, _GLUON_1, 0] < momenta[:, _GLUON_2, 0])
    _swap(ordered, _TOP, _ANTITOP, momenta[:, _TOP, 0] < momenta[:, _ANTITOP, 0])
    # The incoming gluon that the harder outgoing one is closer to comes first.
    along = _product(ordered[:, 0], ordered[:, _GLUON_1])
    against = _product(ordered[:, 1], ordered[:, _GLUON_1])
    _swap(ordered, 0, 1, along > against)
    incoming = _product(ordered[:, 0], ordered[:, 1])
    columns = [
        _product(ordered[:, i], ordered[:, j]) / incoming for i, j in combinations(range(6), 2)
    ]
    columns[0] = incoming
    return np.log(np.stack(columns, axis=1)).astype(np.float32)


def _swap(momenta: NDArray[np.float64], i: int, j: int, where: NDArray[np.bool_]) -> None:
    momenta[where, i], momenta[where, j] = momenta[where, j], momenta[where, i].copy()


def _product(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    product: NDArray[np.float64] = p[:, 0] * q[:, 0] - (p[:, 1:] * q[:, 1:]).sum(axis=1)
    # Nearly collinear massless momenta may round to zero or below.
    return np.maximum(product, 1e-9)
