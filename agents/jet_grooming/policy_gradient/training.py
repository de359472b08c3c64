"""Training: draw jets, decide, credit every decision, ascend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....datasets.jets.trees import ClusteringTrees
from ....envs.jet_grooming.observation import observe_trees
from ...checkpoint import Arrays
from .. import networks
from ..networks.progress import Progress
from ..networks.samples import Samples
from ..networks.training import standardisation
from .credit import counterfactual_masses
from .groomer import PolicyGradientGroomer
from .learner import Learner
from .settings import PolicyGradientSettings


def train(
    settings: PolicyGradientSettings,
    folder: Path,
    *,
    resume: bool = True,
    progress: bool | Progress = True,
    samples: Samples | None = None,
) -> PolicyGradientGroomer:
    """Train an agent, or go on with an unfinished training, see `networks.train`.

    Parameters
    ----------
    settings
        All hyperparameters.
    folder
        Folder of this training.
    resume, progress, samples
        As for `networks.train`.

    Returns
    -------
    PolicyGradientGroomer
        With the best weights on the validation jets.

    Raises
    ------
    ValueError
        If the folder holds a training with other settings.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the checkpoint is written.
    """
    return networks.train(
        Training,
        PolicyGradientGroomer,
        settings,
        folder,
        resume=resume,
        progress=progress,
        samples=samples,
    )


class _Sample:
    """One process's jets and what is seen of them."""

    def __init__(self, trees: ClusteringTrees, settings: PolicyGradientSettings) -> None:
        self.trees = trees
        self._seen = observe_trees(trees, settings.observation)[:, : settings.components]
        self._playable = np.flatnonzero(np.diff(trees.node_offsets))

    def draw(
        self, random: np.random.Generator, jets: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """Draw jets: their indices, what is seen of their nodes, and the places of their roots."""
        drawn = self._playable[random.integers(len(self._playable), size=jets)]
        first, last = self.trees.node_offsets[drawn], self.trees.node_offsets[drawn + 1]
        roots = np.cumsum(last - first) - (last - first)
        rows = np.repeat(first - roots, last - first) + np.arange(int((last - first).sum()))
        return drawn, self._seen[rows], roots


class Training(networks.Training[PolicyGradientSettings]):
    """A training of the policy gradient between two checkpoints; parameters as for `train`."""

    _log_every = 20
    _steps_name = "Gradient steps"

    def __init__(self, settings: PolicyGradientSettings, folder: Path, samples: Samples) -> None:
        standard = standardisation(
            samples, settings.observation, settings.components, settings.background
        )
        self._learner = Learner(settings, standard)
        super().__init__(
            settings,
            folder,
            samples,
            self._learner,
            PolicyGradientGroomer(self._learner.averaged, settings),
            stream=2,
        )
        self._signal = _Sample(samples.signal, settings)
        self._background = _Sample(samples.background, settings)
        self._background_jets = min(
            settings.jets - 1, max(1, round(settings.background * settings.jets))
        )
        self._rewards = (0.0, 0.0)
        self._take_up()

    def _advance(self) -> None:
        """One gradient step."""
        settings = self.settings
        means: list[float] = []
        batch: list[tuple[NDArray[np.float32], NDArray[np.float64]]] = []
        for sample, jets, weight in (
            (self._signal, settings.jets - self._background_jets, 1.0),
            (self._background, self._background_jets, -settings.background_weight),
        ):
            drawn, seen, roots = sample.draw(self._random, jets)
            probability = self._learner.removal_probabilities(seen)
            decisions = self._random.random(len(seen)) < probability
            masses, reached = counterfactual_masses(sample.trees, drawn, decisions)
            reward = weight * mass_reward(masses, settings, self._step)
            means.append(float(reward[roots, decisions[roots].astype(np.int64)].mean()))
            gain = (reward[:, 1] - reward[:, 0]) / jets
            batch.append((seen[reached], gain[reached]))
        self._learner.ascend(*(np.concatenate(parts) for parts in zip(*batch, strict=True)))
        self._rewards = (means[0], means[1])

    def _report(self) -> dict[str, float]:
        """Mean rewards of the last step."""
        signal, background = self._rewards
        return {"reward": signal + background, "reward_signal": signal}

    def _counts(self) -> dict[str, int]:
        return {"gradient_steps": self._step, "jets_played": self._step * self.settings.jets}

    def _state(self) -> tuple[dict[str, Arrays], dict[str, Any]]:
        return {}, {}

    def _restore(self, parts: dict[str, Arrays], values: dict[str, Any]) -> None:
        """Nothing but what every training restores."""


def mass_reward(
    mass: NDArray[np.float64], settings: PolicyGradientSettings, step: int
) -> NDArray[np.float64]:
    """Reward of signal jets that end with a mass.

    Parameters
    ----------
    mass
        float64, any shape: groomed masses in GeV.
    settings
        Shape and widths.
    step
        Gradient steps done.

    Returns
    -------
    numpy.ndarray
        float64, same shape, 0 to 1.
    """
    part = min(1.0, 2 * step / settings.steps)
    width = settings.width * (settings.final_width / settings.width) ** part
    x2 = ((mass - settings.mass_target) / width) ** 2
    reward: NDArray[np.float64]
    if settings.shape == "gaussian":
        reward = np.exp(-0.5 * x2)
    else:
        reward = 1 / (1 + (x2 if settings.shape == "cauchy" else x2**2))
    return reward
