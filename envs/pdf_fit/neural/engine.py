"""Many replicas in one compiled graph: every operation has the replica as its first axis."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .... import backend
from ....datasets.parton_distributions.bases import FITTED, from_fitted
from ..constraints import (
    INTEGRABILITY_THRESHOLD,
    INTEGRABLE,
    POSITIVITY_SLOPE,
    POSITIVITY_THRESHOLD,
    SMALL_X_POINTS,
    Constraints,
    integrability,
)
from ..fit_data import FitData, QuadraticForm, onto_fitted_columns
from ..replica import Replica
from ..sum_rules import COLUMNS, LEAST_POWER, VALENCE, normalisations, sum_rule_weights
from .inputs import network_inputs, preprocessing_factor
from .settings import NeuralSettings

Weights = list[NDArray[np.float32]]
"""Kernel and bias of each layer, in turn, of one replica."""

Progress = Callable[[int, NDArray[np.float64], NDArray[np.float64]], None]
"""Called now and then with the epoch and each replica's training and validation chi2 per point."""

Forms = tuple[QuadraticForm, QuadraticForm]
"""chi2 of one replica's training and validation values."""

_CHUNK = 1000
"""Epochs in one call of the compiled graph; progress is reported in between."""

_SIGMA, _GLUON = FITTED.index("Sigma"), FITTED.index("g")


@dataclass(frozen=True, eq=False)
class NeuralFit:
    """One fitted replica.

    Attributes
    ----------
    number
        Number of the replica.
    weights
        Kernel and bias of each layer at the best epoch.
    f
        float64, shape (9, grid): x f on the grid in the order of ``EVOLUTION``.
    epochs, best_epoch
        Epochs run and the epoch whose weights are kept; 0 if no epoch was acceptable.
    training, validation
        chi2 per point at the best epoch.
    positivity
        Whether positivity holds.
    integrability
        Sum of |x T3| + |x T8| at small x.
    history
        float64, shape (looks, 3): epoch, training and validation chi2 per point.
    """

    number: int
    weights: Weights
    f: NDArray[np.float64]
    epochs: int
    best_epoch: int
    training: float
    validation: float
    positivity: bool
    integrability: float
    history: NDArray[np.float64]

    @property
    def acceptable(self) -> bool:
        """Whether some epoch met all conditions on chi2, positivity and integrability."""
        return self.best_epoch > 0 and self.integrability < INTEGRABILITY_THRESHOLD


def network_output(
    weights: Weights, settings: NeuralSettings, inputs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Evaluate one replica's network in double precision.

    Parameters
    ----------
    weights
        Kernel and bias of each layer.
    settings
        With the activation.
    inputs
        float64, shape (2 or 1, n), see ``inputs.network_inputs``; the last are those of x = 1.

    Returns
    -------
    numpy.ndarray
        float64, shape (8, n).
    """
    act = _NUMPY_ACTIVATIONS[settings.activation]
    hidden = inputs.T
    for layer in range(0, len(weights), 2):
        hidden = hidden @ weights[layer].astype(np.float64) + weights[layer + 1]
        if layer + 2 < len(weights):
            hidden = act(hidden)
    return (hidden - hidden[-1:]).T if settings.feature_scaling else hidden.T


_NUMPY_ACTIVATIONS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 0.5 + 0.5 * np.tanh(0.5 * z),
    "relu": lambda z: np.maximum(z, 0.0),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0.0))),
    "softplus": lambda z: np.logaddexp(z, 0.0),
    "linear": lambda z: z,
}


def distributions(
    weights: Weights, settings: NeuralSettings, replica: Replica, data: FitData
) -> NDArray[np.float64]:
    """Evaluate x f of one replica on the tables' grid, with sum rules in double precision.

    Parameters
    ----------
    weights, settings, replica
        The fitted replica.
    data
        With the grid.

    Returns
    -------
    numpy.ndarray
        float64, shape (9, n), in the order of ``EVOLUTION``.
    """
    fitted = network_output(weights, settings, network_inputs(settings, data))
    fitted = fitted * preprocessing_factor(settings, replica.preprocessing, data.x)
    factors, _ = normalisations(fitted, sum_rule_weights(data.x))
    return from_fitted(fitted * factors[:, None])


class NeuralEngine:
    """Fits of some replicas at a time, compiled once.

    Parameters
    ----------
    data
        Data and tables.
    constraints
        Positivity.
    settings
        Hyperparameters.
    size
        Number of replicas in the graph. A replica's numbers depend neither on the others nor on
        its place among them, but on the size they do, in the last bits.
    rank
        Rows kept for chi2, at least ``data.rank``, which is the default: data of different rank can
        then take turns.
    """

    def __init__(
        self,
        data: FitData,
        constraints: Constraints,
        settings: NeuralSettings,
        size: int,
        rank: int | None = None,
    ) -> None:
        if size < 1:
            raise ValueError(f"size = {size} is less than 1")
        self._own_rank = rank is None
        self.rank = data.rank if rank is None else rank
        if self.rank < data.rank:
            raise ValueError(f"rank = {rank} is less than {data.rank}, what the data need")
        self.data = data
        self.settings = settings
        self.size = size
        self.constraints = constraints
        tf, keras = backend.tensorflow(), backend.keras()
        sizes = [settings.inputs, *settings.units, len(FITTED)]
        self._shapes = [s for pair in itertools.pairwise(sizes) for s in (pair, pair[1:])]
        # One variable for all layers: one update of the optimiser in the graph, not one for each.
        parameters = sum(int(np.prod(shape)) for shape in self._shapes)
        self._weights = keras.Variable(np.zeros((size, parameters), np.float32))
        self._optimizer = _optimizer(settings)
        self._optimizer.build([self._weights])
        self._slots = [np.asarray(variable) for variable in self._optimizer.variables]
        # Autograph is not needed and takes a second.
        self._run = tf.function(self._epochs, jit_compile=True, autograph=False)

    def takes(self, data: FitData, settings: NeuralSettings, size: int) -> bool:
        """Whether other data fit in, so that nothing need be compiled again.

        An engine that was given no rank takes data of its own rank only: a replica has the same
        bits whatever was fitted before.
        """
        return (
            self.settings == settings
            and self.size == size
            and np.array_equal(self.data.x, data.x)
            and len(self.data.ratio) == len(data.ratio)
            and (data.rank == self.rank if self._own_rank else data.rank <= self.rank)
        )

    def _arrays(
        self, replicas: Sequence[Replica], forms: Sequence[Forms]
    ) -> dict[str, NDArray[Any]]:
        training, validation = (_padded([pair[i] for pair in forms], self.rank) for i in (0, 1))
        x = self.data.x
        rules = sum_rule_weights(x)
        weight, below = np.zeros((len(x), len(FITTED))), np.zeros((2, len(FITTED)))
        weight[:, COLUMNS] = rules.weight.T
        below[:, COLUMNS] = rules.below, rules.moment
        return {
            "x": network_inputs(self.settings, self.data).astype(np.float32),
            "factor": np.array(
                [preprocessing_factor(self.settings, r.preprocessing, x).T for r in replicas],
                np.float32,
            ),
            "weight": weight.astype(np.float32),
            "below": below.astype(np.float32),
            "ratio": self._by_point(self.data.ratio_tables.T).T,
            "positivity": self._by_point(self.constraints.positivity).T,
            "training": self._by_point(training[0]),
            "training_target": training[1],
            "training_constant": training[2],
            "training_values": training[3],
            "validation": self._by_point(validation[0]),
            "validation_target": validation[1],
            "validation_constant": validation[2],
            "validation_values": validation[3],
            "seed": np.array([r.seed % 2**31 for r in replicas], np.int32),
        }

    def _by_point(self, rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Put columns in the graph's order: point by point, the eight fitted distributions.

        Shape (..., 9 * grid + others) becomes (..., 8 * grid + others).
        """
        grid = len(self.data.x)
        flat = onto_fitted_columns(rows.reshape(-1, rows.shape[-1]), grid)
        end = len(FITTED) * grid
        turned = flat[:, :end].reshape(len(flat), len(FITTED), grid).swapaxes(1, 2)
        both = np.concatenate([turned.reshape(len(flat), end), flat[:, end:]], axis=1)
        return both.reshape(*rows.shape[:-1], both.shape[1]).astype(np.float32)

    # What follows is traced by TensorFlow.

    def _layers(self, weights: Any) -> list[Any]:
        """Kernel and bias of each layer from all weights, shape (size, ...)."""
        tf, start, out = backend.tensorflow(), 0, []
        for shape in self._shapes:
            end = start + int(np.prod(shape))
            out.append(tf.reshape(weights[:, start:end], (self.size, *shape)))
            start = end
        return out

    def _outputs(self, layers: list[Any], c: Any, epoch: Any, training: bool) -> Any:
        tf, keras = backend.tensorflow(), backend.keras()
        settings = self.settings
        act = keras.activations.get(settings.activation)
        # The first layer has one or two inputs: a sum of products, fused with what follows.
        kernel, bias = layers[0], layers[1]
        hidden = c["x"][0][None, :, None] * kernel[:, 0, None, :]
        if settings.inputs == 2:
            hidden += c["x"][1][None, :, None] * kernel[:, 1, None, :]
        hidden += bias[:, None, :]
        for layer in range(1, len(settings.units) + 1):
            hidden = act(hidden)
            if training and settings.dropout and layer == len(settings.units):
                hidden *= self._dropout_mask(c, epoch, hidden.shape[-1])[:, None, :]
            hidden = tf.matmul(hidden, layers[2 * layer]) + layers[2 * layer + 1][:, None, :]
        # The grid's last point is x = 1.
        return hidden - hidden[:, -1:, :] if settings.feature_scaling else hidden

    def _dropout_mask(self, c: Any, epoch: Any, units: int) -> Any:
        tf = backend.tensorflow()
        keep = 1.0 - self.settings.dropout
        draws = [
            tf.random.stateless_uniform((units,), tf.stack([c["seed"][r], epoch]))
            for r in range(self.size)
        ]
        return tf.cast(tf.stack(draws) < keep, tf.float32) / keep

    def _observables(self, layers: list[Any], c: Any, epoch: Any, training: bool) -> Any:
        """Return z = (x f, ratios), the positivity penalty and x T3, x T8 at small x."""
        tf = backend.tensorflow()
        fitted = self._outputs(layers, c, epoch, training) * c["factor"]
        f = fitted * self._normalisations(fitted, c)[:, None, :]
        small = tf.stack([f[:, :SMALL_X_POINTS, FITTED.index(n)] for n in INTEGRABLE], axis=1)
        f = tf.reshape(f, (self.size, len(self.data.x) * len(FITTED)))
        z = f
        if len(self.data.ratio):
            both = tf.matmul(f, c["ratio"])
            half = len(self.data.ratio)
            z = tf.concat([f, both[:, :half] / both[:, half:]], axis=1)
        minus = -tf.matmul(f, c["positivity"])
        penalty = tf.reduce_sum(
            tf.where(minus > 0, minus, POSITIVITY_SLOPE * tf.math.expm1(tf.minimum(minus, 0.0))),
            axis=1,
        )
        return z, penalty, small

    def _normalisations(self, fitted: Any, c: Any) -> Any:
        """Find the factors of ``sum_rules.normalisations``, shape (size, 8)."""
        tf = backend.tensorflow()
        log_step = np.float32(np.log(self.data.x[1] / self.data.x[0]))

        def below(first: Any, second: Any, weight: Any, moment: Any) -> Any:
            same = first * second > 0
            ratio = tf.where(same, second / tf.where(same, first, 1.0), 1.0)
            power = tf.math.log(ratio) / log_step + moment
            return tf.where(same, first * weight / tf.maximum(power, LEAST_POWER), 0.0)

        above = tf.reduce_sum(fitted * c["weight"], axis=1)
        integral = above + below(fitted[:, 0], fitted[:, 1], *tf.unstack(c["below"]))
        rules = np.array([VALENCE.get(name, 0.0) for name in FITTED], np.float32)
        valence = rules > 0
        norm = tf.where(valence, rules / tf.where(valence, integral, 1.0), 1.0)
        sea, gluon = above[:, _SIGMA], above[:, _GLUON]
        factor = (1.0 - sea) / gluon
        for _ in range(2):
            f = fitted[:, :2, _SIGMA] + factor[:, None] * fitted[:, :2, _GLUON]
            rest = sea + factor * gluon - 1.0
            rest += below(f[:, 0], f[:, 1], c["below"][0, _SIGMA], c["below"][1, _SIGMA])
            factor -= rest / gluon
        return tf.where(np.arange(len(FITTED)) == _GLUON, factor[:, None], norm)

    @staticmethod
    def _chi2(z: Any, c: Any, kind: str) -> Any:
        tf = backend.tensorflow()
        residual = tf.linalg.matvec(c[kind], z) - c[f"{kind}_target"]
        return tf.reduce_sum(residual * residual, axis=1) + c[f"{kind}_constant"]

    def _loss(self, layers: list[Any], c: Any, epoch: Any) -> Any:
        tf, s = backend.tensorflow(), self.settings
        z, penalty, small = self._observables(layers, c, epoch, training=True)
        chi2 = self._chi2(z, c, "training")
        hundreds = tf.cast(epoch // 100, tf.float32)
        positivity = s.positivity * s.growth(s.positivity, s.positivity_end) ** hundreds
        integrability = s.integrability * s.growth(s.integrability, s.integrability_end) ** hundreds
        loss = chi2 + positivity * penalty
        loss += integrability * tf.reduce_sum(small * small, axis=(1, 2))
        return tf.reduce_sum(loss)

    def _train_one(self, c: Any, epoch: Any) -> None:
        tf = backend.tensorflow()
        layers = self._layers(self._weights.value)
        with tf.GradientTape() as tape:
            tape.watch(layers)
            loss = self._loss(layers, c, epoch)
        gradients = tape.gradient(loss, layers)
        if self.settings.clipnorm:
            gradients = [_clipped(gradient, self.settings.clipnorm) for gradient in gradients]
        flat = tf.concat([tf.reshape(g, (self.size, -1)) for g in gradients], axis=1)
        self._optimizer.apply([flat], [self._weights])

    def _look(self, weights: Any, c: Any, epoch: Any) -> Any:
        """Training and validation chi2 per point, and whether the state may be kept."""
        tf = backend.tensorflow()
        z, penalty, small = self._observables(self._layers(weights), c, epoch, training=False)
        training = self._chi2(z, c, "training") / c["training_values"]
        validation = self._chi2(z, c, "validation") / c["validation_values"]
        limit = self.settings.threshold
        fine = (
            (training < limit)
            & (validation < limit)
            & (penalty < POSITIVITY_THRESHOLD)
            & (tf.reduce_sum(tf.abs(small), axis=(1, 2)) < INTEGRABILITY_THRESHOLD)
        )
        return training, validation, fine

    def _epochs(self, best: Any, state: Any, looks: Any, c: Any) -> Any:
        """Run ``looks`` times ``validate_every`` epochs.

        ``best`` are the weights kept, ``state`` is (epoch, best validation chi2, best epoch, last
        epoch of each replica).
        """
        tf = backend.tensorflow()
        every = self.settings.validate_every
        patience = int(self.settings.patience * self.settings.epochs)
        size = self.size
        history = tf.TensorArray(tf.float32, size=looks, element_shape=(2, size))

        def train(step: Any, epoch: Any) -> Any:
            self._train_one(c, epoch + step)
            return step + 1, epoch

        def look(i: Any, best: Any, state: Any, history: Any) -> Any:
            epoch, lowest, when, last = state
            tf.while_loop(lambda step, _: step < every, train, (tf.constant(0), epoch))
            weights = self._weights.value
            training, validation, fine = self._look(weights, c, epoch)
            epoch = epoch + every
            going = (when == 0) | (last - when <= patience)
            better = going & fine & (validation < lowest)
            best = tf.where(better[:, None], weights, best)
            state = (
                epoch,
                tf.where(better, validation, lowest),
                tf.where(better, epoch, when),
                tf.where(going, epoch, last),
            )
            return i + 1, best, state, history.write(i, tf.stack([training, validation]))

        _, best, state, history = tf.while_loop(
            lambda i, *_: i < looks, look, (tf.constant(0), best, state, history)
        )
        return best, state, history.stack()

    # From here on it is NumPy again.

    def first_weights(self, replica: Replica) -> NDArray[np.float32]:
        """Draw the weights of a replica before training, kernel and bias of each layer in turn."""
        keras = backend.keras()
        out = []
        for layer, (kernel, bias) in enumerate(
            zip(self._shapes[::2], self._shapes[1::2], strict=True)
        ):
            draw = keras.initializers.get(
                {
                    "class_name": self.settings.initializer,
                    "config": {"seed": (replica.seed + 7919 * layer) % 2**31},
                }
            )
            out += [np.asarray(draw(kernel), np.float32).ravel(), np.zeros(bias, np.float32)]
        return np.concatenate(out)

    def fit(self, replicas: Sequence[Replica], progress: Progress | None = None) -> list[NeuralFit]:
        """Fit replicas.

        Parameters
        ----------
        replicas
            One to `size` replicas; room that is left is filled with the first ones again.
        progress
            Told about the fit every thousand epochs or so.

        Returns
        -------
        list of NeuralFit
            In the order of the replicas.

        Raises
        ------
        ValueError
            If there are no or too many replicas.
        """
        if not 1 <= len(replicas) <= self.size:
            raise ValueError(f"{len(replicas)} replicas are given, room is for 1 to {self.size}")
        tf, s, size = backend.tensorflow(), self.settings, self.size
        forms = [replica.forms(self.data) for replica in replicas]
        places = [i % len(replicas) for i in range(size)]
        filled = [replicas[i] for i in places]
        arrays = self._arrays(filled, [forms[i] for i in places])
        constants = {name: tf.constant(value) for name, value in arrays.items()}
        first = [self.first_weights(replica) for replica in replicas]
        self._weights.assign(np.stack([first[i] for i in places]))
        for variable, value in zip(self._optimizer.variables, self._slots, strict=True):
            variable.assign(value)
        best = tf.identity(self._weights.value)
        state: Any = (
            tf.constant(0),
            tf.fill((size,), np.float32(np.inf)),
            tf.zeros((size,), tf.int32),
            tf.zeros((size,), tf.int32),
        )
        looks = s.epochs // s.validate_every
        at_once = max(1, _CHUNK // s.validate_every)
        patience = int(s.patience * s.epochs)
        history = []
        while looks > 0:
            now = min(at_once, looks)
            best, state, seen = self._run(best, state, now, constants)
            looks -= now
            history.append(seen.numpy().astype(np.float64))
            when, last = state[2].numpy(), state[3].numpy()
            if progress is not None:
                progress(int(state[0]), history[-1][-1, 0], history[-1][-1, 1])
            if ((when > 0) & (last - when > patience)).all():
                break
        when, last = state[2].numpy(), state[3].numpy()
        # A replica without any acceptable epoch shows its last one and is marked as such.
        kept = np.where(when[:, None] > 0, best.numpy(), self._weights.numpy())
        return list(self._results(replicas, forms, kept, when, last, np.concatenate(history)))

    def _results(
        self,
        replicas: Sequence[Replica],
        forms: Sequence[Forms],
        kept: NDArray[np.float32],
        when: Any,
        last: Any,
        history: NDArray[np.float64],
    ) -> Iterator[NeuralFit]:
        every = self.settings.validate_every
        for r, (replica, (fitted, left)) in enumerate(zip(replicas, forms, strict=True)):
            ends = np.cumsum([np.prod(shape) for shape in self._shapes])[:-1]
            parts = np.split(kept[r], ends)
            weights = [w.reshape(s) for w, s in zip(parts, self._shapes, strict=True)]
            f = distributions(weights, self.settings, replica, self.data)
            count = int(last[r]) // every
            flat = f.reshape(1, -1)
            z = np.concatenate([flat, self.data.ratios(flat)], axis=1)[0]
            yield NeuralFit(
                number=replica.number,
                weights=weights,
                f=f,
                epochs=int(last[r]),
                best_epoch=int(when[r]),
                training=fitted.per_point(z),
                validation=left.per_point(z),
                positivity=bool(
                    self.constraints.positivity_penalty(flat)[0] < POSITIVITY_THRESHOLD
                ),
                integrability=float(integrability(f)),
                history=np.column_stack(
                    [every * np.arange(1, count + 1), history[:count, 0, r], history[:count, 1, r]]
                ),
            )


def _clipped(gradient: Any, norm: float) -> Any:
    """Scale each replica's gradient down to a norm, as Keras does with whole ones."""
    tf = backend.tensorflow()
    axes = list(range(1, len(gradient.shape)))
    square = tf.reduce_sum(gradient * gradient, axis=axes, keepdims=True)
    return gradient * (norm / tf.maximum(tf.sqrt(square), norm))


def _padded(
    forms: Sequence[QuadraticForm], rank: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Matrices, targets, constants and numbers of values, with rows of zeros at the end."""
    columns = forms[0].matrix.shape[1]
    matrix = np.zeros((len(forms), rank, columns), np.float32)
    target = np.zeros((len(forms), rank), np.float32)
    for number, form in enumerate(forms):
        matrix[number, : len(form.target)] = form.matrix
        target[number, : len(form.target)] = form.target
    constant = np.array([form.constant for form in forms], np.float32)
    # A fit to everything has no validation values; its validation chi2 is then zero.
    values = np.array([max(form.values, 1) for form in forms], np.float32)
    return matrix, target, constant, values


def _optimizer(settings: NeuralSettings) -> Any:
    keras = backend.keras()
    if settings.optimizer == "Amsgrad":
        return keras.optimizers.Adam(settings.learning_rate, amsgrad=True)
    return getattr(keras.optimizers, settings.optimizer)(settings.learning_rate)
