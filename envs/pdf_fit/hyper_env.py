"""The choice of hyperparameters as a game."""

from __future__ import annotations

import functools
import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ...datasets.parton_distributions import DEFAULT_ID, load
from ...datasets.parton_distributions.data import DISData
from ...datasets.parton_distributions.splits import FOLDS
from ..render_mode import checked_render_mode
from .k_fold import fold_chi2
from .neural.settings import NeuralSettings

Info = dict[str, Any]

LOSS_LIMIT = 100.0
"""Loss of hyperparameters whose fits fail or are worse."""

_OPTIMIZERS = ("Nadam", "Adam", "Amsgrad", "Adadelta")
_ACTIVATIONS = ("tanh", "sigmoid")
_INITIALIZERS = ("glorot_normal", "glorot_uniform")
_LAYERS = 4
_CHOICES = 6 + _LAYERS


class PDFFitHyperEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Choose hyperparameters of short fits that describe data they have not seen.

    ## Description

    A fit that is tuned on the data it was fitted to, or on a validation part of the same sets,
    learns their noise. Therefore hyperparameters are judged by k folds (arXiv:2109.02653, section
    3.3): each of the four folds of sets is left out in turn, the others are fitted, and the chi2
    to the fold is the loss. Each step is one choice and takes four short fits by gradient descent,
    some tens of seconds.

    ## Action Space

    `Box(0, 1, (10,), float32)`: ten numbers, each spread over the range of one hyperparameter
    (that of NNPDF4.0's search).

    | Num | Hyperparameter | Range |
    |-----|----------------|-------|
    | 0 | optimiser | Nadam, Adam, Amsgrad, Adadelta |
    | 1 | learning rate, logarithmic | 1e-4 to 1e-2; Adadelta 0.1 to 10 |
    | 2 | norm to which gradients are clipped, logarithmic | 1e-7 to 1e-4 |
    | 3 | activation | tanh, sigmoid |
    | 4 | initialiser | glorot_normal, glorot_uniform |
    | 5 | number of hidden layers | 1 to 4 |
    | 6 .. 9 | units of each layer | 10 to 45 |

    ## Observation Space

    `Box(13,)`, float32: loss of the last choice and lowest loss so far (0 to 100, 100 at the
    beginning), fraction of trials left (0 to 1), the last choice (0 to 1, ten numbers).

    ## Rewards

    Minus the loss: the chi2 per point of the folds left out, with the experimental covariance,
    averaged over folds and replicas; -100 if a fit fails.

    ## Starting State

    No trial made. `reset` takes no options.

    ## Episode End

    The episode terminates when `patience` choices in a row have not lowered the loss and is
    truncated after `trials` choices. `info` holds `folds` (the chi2 of each fold) and `settings`
    (the hyperparameters).

    ## Arguments

    ```python
    import gymnasium
    import hepgym

    env = gymnasium.make("PDFFitHyper-v0", trials=50, epochs=1000)
    ```

    - `data`: dataset id, path of a file in the same format, or `DISData`.
    - `trials` (30), `patience` (10, None for never).
    - `epochs`: of each fit (1,000). `replicas`: in each fit (1).
    - `folds`: which folds are left out in turn (0, 1, 2, 3).
    - `data_seed`: seed of the replicas (0).
    - `render_mode`: `"ansi"` writes a line.

    ## Vectorized environment

    `gymnasium.make_vec("PDFFitHyper-v0", num_envs=4)` plays environments one after the other, for
    the time goes into the fits; `vectorization_mode="async"` plays them in processes.

    ## Version History

    * v0: first version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it an instance's)
        "render_modes": ["ansi"],
        "render_fps": 1,
    }

    def __init__(
        self,
        data: str | DISData = DEFAULT_ID,
        trials: int = 30,
        patience: int | None = 10,
        epochs: int = 1_000,
        replicas: int = 1,
        folds: tuple[int, ...] = tuple(range(FOLDS)),
        data_seed: int = 0,
        render_mode: str | None = None,
    ) -> None:
        for name, value in (("trials", trials), ("epochs", epochs), ("replicas", replicas)):
            if value < 1:
                raise ValueError(f"{name} = {value!r} is less than 1")
        if patience is not None and patience < 1:
            raise ValueError(f"patience = {patience!r} is less than 1")
        if not folds or not all(fold in range(FOLDS) for fold in folds):
            raise ValueError(f"folds = {folds!r} must be numbers from 0 to {FOLDS - 1}")
        if data_seed < 0:
            raise ValueError(f"data_seed = {data_seed!r} is negative")
        self.render_mode = checked_render_mode(render_mode, self.metadata)
        self.trials, self.patience, self.epochs = trials, patience, epochs
        self.replicas, self.folds, self.data_seed = replicas, tuple(folds), data_seed
        self._dis = data if isinstance(data, DISData) else load(data)
        self.action_space = gymnasium.spaces.Box(0.0, 1.0, (_CHOICES,), np.float32)
        high = np.array([LOSS_LIMIT] * 2 + [1.0] * (1 + _CHOICES), np.float32)
        self.observation_space = gymnasium.spaces.Box(np.zeros_like(high), high)
        self._playing = False
        self._begin()

    def _begin(self) -> None:
        self._trial = self._since = 0
        self._loss = self._lowest = LOSS_LIMIT
        self._choice = np.zeros(_CHOICES, np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], Info]:
        """Begin a search.

        Raises
        ------
        ValueError
            If there are options.
        """
        super().reset(seed=seed)
        if options:
            raise ValueError(f"reset has no option {next(iter(options))!r}; it has none")
        self._begin()
        self._playing = True
        return self._observation(), {"folds": np.full(len(self.folds), LOSS_LIMIT), "settings": {}}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, Info]:
        """Try a choice of hyperparameters.

        Raises
        ------
        gymnasium.error.ResetNeeded
            Before the first reset and after the end of an episode.
        gymnasium.error.InvalidAction
            If the action is not ten numbers from 0 to 1.
        """
        if not self._playing:
            raise gymnasium.error.ResetNeeded("no search is going on: call reset() first")
        choice = np.asarray(action, np.float32)
        if choice.shape != (_CHOICES,) or not ((choice >= 0) & (choice <= 1)).all():
            raise gymnasium.error.InvalidAction(
                f"the action must be {_CHOICES} numbers from 0 to 1"
            )
        settings = choose(choice, self.epochs)
        chi2 = fold_chi2(
            self._dis,
            settings,
            replicas=self.replicas,
            seed=self.data_seed,
            folds=self.folds,
        )
        loss = float(np.mean(chi2))
        self._loss = min(loss, LOSS_LIMIT) if math.isfinite(loss) else LOSS_LIMIT
        self._trial += 1
        self._since = 0 if self._loss < self._lowest else self._since + 1
        self._lowest = min(self._lowest, self._loss)
        self._choice = choice.copy()
        terminated = self.patience is not None and self._since >= self.patience
        truncated = self._trial >= self.trials and not terminated
        self._playing = not (terminated or truncated)
        info = {
            "folds": np.nan_to_num(np.minimum(chi2, LOSS_LIMIT), nan=LOSS_LIMIT),
            "settings": settings.to_json(),
        }
        return self._observation(), -self._loss, terminated, truncated, info

    def render(self) -> Any:
        """Write a line about the search, for ``ansi``."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                'nothing is rendered: make the environment with render_mode="ansi"'
            )
            return None
        return (
            f"trial {self._trial} of {self.trials}: loss {self._loss:.3f}, "
            f"lowest {self._lowest:.3f}"
        )

    def _observation(self) -> NDArray[np.float32]:
        left = 1.0 - self._trial / self.trials
        return np.concatenate(
            [np.array([self._loss, self._lowest, left], np.float32), self._choice]
        )


class PDFFitHyperVectorEnv(gymnasium.vector.SyncVectorEnv):
    """Several searches, one after the other in each step.

    Parameters
    ----------
    num_envs
        Number of searches.
    autoreset_mode
        As in Gymnasium.
    **arguments
        As for `PDFFitHyperEnv`.
    """

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **arguments: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs = {num_envs} is less than 1")
        one = functools.partial(PDFFitHyperEnv, **arguments)
        super().__init__([one] * num_envs, autoreset_mode=AutoresetMode(autoreset_mode))


def choose(choice: NDArray[np.float32], epochs: int) -> NeuralSettings:
    """Translate an action into hyperparameters.

    Parameters
    ----------
    choice
        float32, shape (10,): from 0 to 1, see `PDFFitHyperEnv`.
    epochs
        Of each fit.

    Returns
    -------
    NeuralSettings
    """
    values = choice.astype(np.float64)

    def one_of(names: tuple[str, ...], value: float) -> str:
        return names[min(int(value * len(names)), len(names) - 1)]

    optimizer = one_of(_OPTIMIZERS, values[0])
    low, high = (0.1, 10.0) if optimizer == "Adadelta" else (1e-4, 1e-2)
    layers = 1 + min(int(values[5] * _LAYERS), _LAYERS - 1)
    return NeuralSettings(
        units=tuple(10 + min(int(value * 36), 35) for value in values[6 : 6 + layers]),
        activation=one_of(_ACTIVATIONS, values[3]),
        initializer=one_of(_INITIALIZERS, values[4]),
        optimizer=optimizer,
        learning_rate=float(low * (high / low) ** values[1]),
        clipnorm=float(1e-7 * 1e3 ** values[2]),
        epochs=epochs,
        validate_every=min(10, epochs),
    )
