"""keras-rl2 1.0.5 on today's stack: every mend that it needs, in one place.

Importing this module changes the whole process, so it refuses to be imported where
``TF_USE_LEGACY_KERAS`` is not set: it belongs into the process that `train_keras_rl` starts.

- keras-rl2 is written for Keras 2: tf-keras, with ``TF_USE_LEGACY_KERAS=1``, and its old
  optimisers, which alone have ``get_updates``.
- It imports ``tensorflow.keras.__version__``, which is gone: put back before.
- ``rl.agents`` switches eager mode off for the whole process. That stays so, because in eager
  mode its target network never moves; this is why it has a process of its own.
- Its copy of the dueling network holds a Lambda layer, which safe mode refuses to copy: safe mode
  is switched off. Nothing is loaded from a file here.
- Its update of the target network reads the weights while Adam changes them: `_soft_updates`.
- ``fit`` counts steps in int16, which wraps at 32,768 and never ends: `Agent.step`.
- It speaks the gym API before 0.26 and learns truncation as termination: `OldGym`, `Memory`.
"""

from __future__ import annotations

import enum
import importlib
import os
import warnings
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ....backend import tensorflow

if os.environ.get("TF_USE_LEGACY_KERAS") != "1":
    raise ImportError(
        "keras-rl2 switches eager mode off for the whole process: call train_keras_rl, which "
        "gives it a process of its own"
    )
tf = tensorflow()
keras = importlib.import_module("tensorflow.keras")
keras.__version__ = importlib.import_module("tf_keras").__version__  # type: ignore[attr-defined]
keras.__internal__.enable_unsafe_deserialization()
# tf-keras says so of its own code when a graph is trained.
warnings.filterwarnings("ignore", "`Model.state_updates`", UserWarning)

import rl.agents.dqn  # noqa: E402
import rl.callbacks  # noqa: E402
import rl.memory  # noqa: E402
import rl.policy  # noqa: E402
import rl.util  # noqa: E402

BoltzmannQPolicy = rl.policy.BoltzmannQPolicy
Callback = rl.callbacks.Callback
EpsGreedyQPolicy = rl.policy.EpsGreedyQPolicy

# Many small operations: more threads only wait for each other, and sum in changing order.
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.threading.set_intra_op_parallelism_threads(1)


class End(enum.IntEnum):
    """How a step leaves the episode, in the place of keras-rl2's ``done``."""

    NO = 0
    TERMINATED = 1
    TRUNCATED = 2


class OldGym:
    """A Gymnasium environment behind the gym API before 0.26.

    Parameters
    ----------
    env
        The environment.
    seed
        Seed of the first reset; the following ones go on from there.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], seed: int) -> None:
        self._env = env
        self._seed: int | None = seed

    def reset(self) -> NDArray[np.float32]:
        """Start an episode."""
        observation, _ = self._env.reset(seed=self._seed)
        self._seed = None
        return np.asarray(observation, np.float32)

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, End, dict[str, Any]]:
        """Play a step; keras-rl2 would only add up what info holds, so it stays empty."""
        observation, reward, terminated, truncated, _ = self._env.step(int(action))
        end = End.TERMINATED if terminated else End.TRUNCATED if truncated else End.NO
        return np.asarray(observation, np.float32), float(reward), end, {}


class Memory(rl.memory.SequentialMemory):  # type: ignore[misc]
    """Replay memory that tells a truncated episode from a terminated one.

    After an episode of either kind keras-rl2 stores its last observation as if one more step had
    followed, and finds these false steps by the end before them when it samples. So every end is
    stored, but only a termination is handed out as one.
    """

    def sample(self, batch_size: int, batch_idxs: Any = None) -> list[Any]:
        """Draw transitions; see the base class."""
        return [
            experience._replace(terminal1=experience.terminal1 == End.TERMINATED)
            for experience in super().sample(batch_size, batch_idxs)
        ]


class Agent(rl.agents.dqn.DQNAgent):  # type: ignore[misc]
    """DQN agent that counts beyond 32,767."""

    @property
    def step(self) -> int:
        """Steps done; ``fit`` sets it to ``np.int16(0)`` and adds 1 to what it finds."""
        return self._step

    @step.setter
    def step(self, value: Any) -> None:
        self._step = int(value)


def _soft_updates(target: Any, source: Any, tau: float) -> list[tuple[Any, Any, float]]:
    """List what `_FollowingOptimizer` needs; keras-rl2 computes the new weights here already."""
    pairs = zip(target.trainable_weights, source.trainable_weights, strict=True)
    return [(to, weight, tau) for to, weight in pairs]


class _FollowingOptimizer(rl.util.AdditionalUpdatesOptimizer):  # type: ignore[misc]
    """Optimiser after whose step, not meanwhile, the target network follows."""

    def get_updates(self, params: Any, loss: Any) -> list[Any]:
        """Operations of one training step."""
        training: list[Any] = self.optimizer.get_updates(params=params, loss=loss)
        with tf.control_dependencies(training):
            following = [
                to.assign_add(tau * (weight.read_value() - to.read_value()))
                for to, weight, tau in self.additional_updates
            ]
        return [*training, *following]


rl.agents.dqn.get_soft_target_model_updates = _soft_updates
rl.agents.dqn.AdditionalUpdatesOptimizer = _FollowingOptimizer
