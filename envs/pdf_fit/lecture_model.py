"""The model of the first two generations of fits: eight small networks, 296 parameters.

x f_i(x) = A_i x^(1 - alpha_i) (1 - x)^beta_i NN_i(x, ln x) with one 2-5-3-1 network of logistic
units, and a linear output, for every distribution (arXiv:1410.8849, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets.parton_distributions.bases import FITTED, from_fitted
from .preprocessing import Preprocessing
from .sum_rules import SumRuleWeights, sum_rule_weights

INPUTS, FIRST, SECOND = 2, 5, 3
PER_NETWORK = FIRST * (INPUTS + 1) + SECOND * (FIRST + 1) + SECOND + 1
PARAMETERS = len(FITTED) * PER_NETWORK

_PARTS = np.cumsum([FIRST * INPUTS, FIRST, SECOND * FIRST, SECOND, SECOND])
_TOGETHER = 80
"""Vectors evaluated at a time: their intermediate values fit in a core's cache."""


def node_of_parameter() -> NDArray[np.int64]:
    """Find the node that each of the 296 parameters leads to.

    Returns
    -------
    numpy.ndarray
        int64, shape (296,): nodes 0 to 71, nine for each network. A network's parameters are the
        weights of its first layer, row by row, its biases, then those of the other layers.
    """
    first = np.repeat(np.arange(FIRST), INPUTS)
    second = FIRST + np.repeat(np.arange(SECOND), FIRST)
    last = FIRST + SECOND
    one = np.concatenate(
        [first, np.arange(FIRST), second, FIRST + np.arange(SECOND), np.full(SECOND + 1, last)]
    )
    return np.concatenate([one + (last + 1) * network for network in range(len(FITTED))])


@dataclass(frozen=True, eq=False)
class LectureModel:
    """Distributions of many parameter vectors at once.

    Attributes
    ----------
    x
        float64, shape (points,): where the distributions are wanted.
    inputs
        float32, shape (3, points): x, ln x and 1.
    factor
        float32, shape (8, points): preprocessing at ``x``.
    weights
        Of the points in the sum rules.
    """

    x: NDArray[np.float64]
    inputs: NDArray[np.float32]
    factor: NDArray[np.float32]
    weights: SumRuleWeights

    def __call__(self, parameters: NDArray[np.floating]) -> NDArray[np.float32]:
        """Evaluate x f of every parameter vector.

        Parameters
        ----------
        parameters
            Shape (vectors, 296).

        Returns
        -------
        numpy.ndarray
            float32, shape (vectors, 9, points), in the order of `bases.EVOLUTION`; not
            finite where a sum rule cannot be imposed.
        """
        return self.with_sum_rules(parameters)[0]

    def with_sum_rules(
        self, parameters: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As a call, together with the largest deviation from a sum rule.

        Parameters
        ----------
        parameters
            Shape (vectors, 296).

        Returns
        -------
        f : float32, shape (vectors, 9, points)
            See above.
        deviation : float32, shape (vectors,)
            Largest difference of a sum rule's integral from its value.
        """
        fitted = np.empty((len(parameters), len(FITTED), len(self.x)), np.float32)
        deviation = self.into(parameters, fitted)
        return from_fitted(fitted), deviation

    def into(self, parameters: NDArray[np.floating], f: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `with_sum_rules`, with the eight that are fitted written into an array that is there.

        Parameters
        ----------
        parameters
            Shape (vectors, 296).
        f
            float32, shape (vectors, 8, points), in the order of `bases.FITTED`.

        Returns
        -------
        numpy.ndarray
            float32, shape (vectors,): largest difference from a sum rule.
        """
        from . import kernels

        parameters = np.asarray(parameters, np.float32)
        for start in range(0, len(parameters), _TOGETHER):
            rows = slice(start, start + _TOGETHER)
            np.multiply(networks(parameters[rows], self.inputs), self.factor, out=f[rows])
        factors = np.ones(f.shape[:2], np.float32)
        deviation = np.empty(len(f), np.float32)
        own = self.weights
        kernels.normalise(f, own.weight, own.log_step, own.below, own.moment, factors, deviation)
        f *= factors[..., None]
        return deviation


def networks(parameters: NDArray[np.float32], inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Evaluate the eight networks.

    Parameters
    ----------
    parameters
        float32, shape (vectors, 296).
    inputs
        float32, shape (3, points): x, ln x and 1.

    Returns
    -------
    numpy.ndarray
        float32, shape (vectors, 8, points).
    """
    vectors, points = len(parameters), inputs.shape[1]
    w1, b1, w2, b2, w3, b3 = np.split(parameters.reshape(-1, PER_NETWORK), _PARTS, axis=1)
    # The logistic function is (1 + tanh(z / 2)) / 2, and tanh is what NumPy computes fast: halve
    # the weights before it and move the constant into the next layer's bias.
    w1 = w1.reshape(-1, FIRST, INPUTS)
    first = np.concatenate([w1, b1[..., None]], axis=2).reshape(-1, INPUTS + 1)
    hidden = np.matmul(0.5 * first, inputs)
    np.tanh(hidden, out=hidden)
    w2 = w2.reshape(-1, SECOND, FIRST)
    second = np.matmul(0.25 * w2, hidden.reshape(-1, FIRST, points))
    second += (0.5 * b2 + 0.25 * w2.sum(axis=2))[..., None]
    np.tanh(second, out=second)
    out = np.matmul(0.5 * w3[:, None, :], second)
    out += (b3 + 0.5 * w3.sum(axis=1, keepdims=True))[..., None]
    return out.reshape(vectors, len(FITTED), points)


def lecture_model(x: NDArray[np.float64], preprocessing: Preprocessing) -> LectureModel:
    """Make the model for a grid.

    Parameters
    ----------
    x
        float64, shape (points,): where the distributions are wanted, rising, the last is 1.
    preprocessing
        Exponents.

    Returns
    -------
    LectureModel
    """
    inputs = np.array([x, np.log(x), np.ones_like(x)], np.float32)
    return LectureModel(x, inputs, preprocessing.factor(x).astype(np.float32), sum_rule_weights(x))
