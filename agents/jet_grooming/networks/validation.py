"""Score of the current weights on the validation jets."""

from __future__ import annotations

from ....leaderboards.scores.jet_grooming import GroomingScore, grooming_score
from ....leaderboards.tasks import task as find_task
from .groomer import TrainedGroomer
from .samples import Samples

_RESAMPLES = 20  # the error is only looked at by people


def validate(groomer: TrainedGroomer, samples: Samples) -> GroomingScore:
    """Groom the validation jets and score them for the task of the settings.

    Parameters
    ----------
    groomer
        The agent.
    samples
        The jets.

    Returns
    -------
    GroomingScore
    """
    return grooming_score(
        groomer.groom(samples.validation_signal).mass,
        groomer.groom(samples.validation_background).mass,
        find_task(groomer.settings.task).parameters["mass_target"],
        resamples=_RESAMPLES,
    )
