"""The flow as a Keras model: coupling layers whose splines depend on the axes left alone.

The model maps points x of the unit hypercube to latent points z that should be uniform; ln of
its density at x is the logarithm of the Jacobian determinant dz/dx. Sampling goes the other way
(``inverse``). Both ways are closed formulas and the density is normalised by construction.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ....backend import keras, tensorflow
from .spline import compiled_forward, compiled_inverse, rational_quadratic

_layers = keras().layers
_register = keras().saving.register_keras_serializable(package="hepgym")


@functools.cache
def compiled_loops() -> bool:
    """Whether splines run in compiled loops, which is so without an accelerator."""
    return not tensorflow().config.list_physical_devices("GPU")


def masks(dim: int, repeats: int = 1) -> list[tuple[int, ...]]:
    """Axes that each coupling layer leaves alone.

    The axes are numbered in binary. For each binary digit one layer moves the axes that have 0
    there, given those that have 1, and one layer the others: any two axes differ in some digit,
    so that 2 log2(dim) layers couple all pairs (arXiv:2001.05486, section II.C).

    Parameters
    ----------
    dim
        Number of axes.
    repeats
        How often the whole set is used.

    Returns
    -------
    list of tuple of int
        Conditioning axes of each layer; a single axis is conditioned on nothing.
    """
    if dim == 1:
        return [()] * repeats
    out = []
    for digit in range((dim - 1).bit_length()):
        ones = tuple(axis for axis in range(dim) if axis >> digit & 1)
        zeros = tuple(axis for axis in range(dim) if not axis >> digit & 1)
        out += [ones, zeros]
    return out * repeats


@_register
class Coupling(_layers.Layer):  # type: ignore[misc, name-defined]
    """Splines on some axes, with parameters from a small network that sees the other axes.

    With fresh weights it is the identity.

    Parameters
    ----------
    dim
        Number of axes.
    given
        Axes that are left alone and that the network sees.
    bins
        Bins of each spline.
    hidden, units
        Number of hidden layers and units in each.
    seed
        Seed of the weights.
    """

    def __init__(
        self,
        dim: int,
        given: tuple[int, ...],
        bins: int,
        hidden: int,
        units: int,
        seed: int,
        **kwargs: Any,
    ) -> None:
        # Points stay float64: only what the network sees is rounded.
        super().__init__(autocast=False, **kwargs)
        self.dim, self.bins, self.hidden, self.units, self.seed = dim, bins, hidden, units, seed
        self.given = tuple(given)
        self.moved = tuple(axis for axis in range(dim) if axis not in self.given)
        # TensorFlow takes an empty list for one of floating-point numbers.
        self._given, self._moved = (np.array(axes, np.int32) for axes in (self.given, self.moved))
        self._order = np.argsort(self.given + self.moved)
        seeds = np.random.SeedSequence(seed).generate_state(hidden) >> 1
        self._dense = [
            _layers.Dense(
                units,
                activation="relu",
                kernel_initializer=keras().initializers.HeUniform(seed=int(own)),
                name=f"hidden_{i + 1}",
            )
            for i, own in enumerate(seeds)
        ]
        # Equal logits make equal bins; softplus(slope) = 1 makes the identity.
        flat = np.full((len(self.moved), 3 * bins + 1), 0.0, np.float32)
        flat[:, 2 * bins :] = np.log(np.expm1(1.0 - 1e-3))
        self._dense.append(
            _layers.Dense(
                flat.size,
                kernel_initializer="zeros",
                bias_initializer=lambda shape, dtype=None: keras().ops.convert_to_tensor(
                    flat.reshape(shape), dtype
                ),
                name="parameters",
            )
        )

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        width = max(1, len(self.given))
        for layer in self._dense:
            layer.build((None, width))
            width = layer.units
        self.built = True

    def raw(self, points: Any) -> Any:
        """Raw parameters of the splines, float32 tensor (n, moved axes * (3 bins + 1))."""
        tf = tensorflow()
        if self.given:
            x = 2.0 * tf.cast(tf.gather(points, self._given, axis=1), tf.float32) - 1.0
        else:
            x = tf.zeros((tf.shape(points)[0], 1), tf.float32)
        for layer in self._dense:
            x = layer(x)
        return x

    def call(self, points: Any, inverse: bool = False) -> tuple[Any, Any]:
        """Move the points.

        Parameters
        ----------
        points
            float64 tensor, shape (n, dim).
        inverse
            Whether to go back.

        Returns
        -------
        moved : float64 tensor, shape (n, dim)
        log_slope : float64 tensor, shape (n,)
            Logarithm of the Jacobian determinant of the forward map.
        """
        tf = tensorflow()
        raw, values = self.raw(points), tf.gather(points, self._moved, axis=1)
        if not compiled_loops():
            moved, log_slope = rational_quadratic(values, raw, self.bins, inverse)
        elif inverse:
            moved, log_slope = compiled_inverse(values, raw, self.bins)
        else:
            moved, log_slope = compiled_forward(values, raw, self.bins)
        both = tf.concat([tf.gather(points, self._given, axis=1), moved], axis=1)
        return tf.gather(both, self._order, axis=1), log_slope

    def get_config(self) -> dict[str, Any]:
        """Give the arguments that make this layer again."""
        own = ("dim", "given", "bins", "hidden", "units", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@_register
class Flow(keras().Model):  # type: ignore[misc]
    """A chain of `Coupling` layers; with fresh weights it is the identity.

    Parameters
    ----------
    dim
        Number of axes.
    bins, hidden, units
        See `Coupling`.
    repeats
        How often the set of masks is used, see `masks`.
    seed
        Seed of the weights.
    """

    def __init__(
        self,
        dim: int,
        bins: int = 16,
        hidden: int = 2,
        units: int = 64,
        repeats: int = 1,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self._own = {
            "dim": dim,
            "bins": bins,
            "hidden": hidden,
            "units": units,
            "repeats": repeats,
            "seed": seed,
        }
        chosen = masks(dim, repeats)
        seeds = np.random.SeedSequence(seed).generate_state(len(chosen)) >> 1
        self.dim = dim
        self.couplings = [
            Coupling(dim, given, bins, hidden, units, int(own), name=f"coupling_{i + 1}")
            for i, (given, own) in enumerate(zip(chosen, seeds, strict=True))
        ]
        self.build((None, dim))

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        for layer in self.couplings:
            layer.build(input_shape)
        self.built = True

    def call(self, points: Any) -> tuple[Any, Any]:
        """Latent points, and the logarithm of the density.

        Parameters
        ----------
        points
            float64 tensor, shape (n, dim), in the unit hypercube.

        Returns
        -------
        latent : float64 tensor, shape (n, dim)
        log_density : float64 tensor, shape (n,)
        """
        total: Any = 0.0
        for layer in self.couplings:
            points, log_slope = layer(points)
            total += log_slope
        return points, total

    def inverse(self, latent: Any) -> tuple[Any, Any]:
        """Points that belong to latent points, and the logarithm of the density there.

        Parameters
        ----------
        latent
            float64 tensor, shape (n, dim), in the unit hypercube.

        Returns
        -------
        points : float64 tensor, shape (n, dim)
        log_density : float64 tensor, shape (n,)
        """
        total: Any = 0.0
        for layer in reversed(self.couplings):
            latent, log_slope = layer(latent, inverse=True)
            total += log_slope
        return latent, total

    def get_config(self) -> dict[str, Any]:
        """Give the arguments that make this model again."""
        return {**self._own, "name": self.name}
