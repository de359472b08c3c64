"""The trained models that come with the package."""

from __future__ import annotations

import json
from pathlib import Path

MODELS = Path(__file__).parent.parent / "models"


def reference_models(task: str, agent: str = "dqn") -> list[Path]:
    """Folders of an agent's models trained for a task, the best on the validation jets first.

    Each holds ``model.keras``, ``settings.json`` and ``summary.json``; docs/dqn.md says how they
    were made.

    Parameters
    ----------
    task
        Task id.
    agent
        Name of the agent.

    Returns
    -------
    list of pathlib.Path
    """

    def validation_loss(folder: Path) -> float:
        summary = json.loads((folder / "summary.json").read_text())
        return float(summary["best"]["validation_loss"])

    return sorted((MODELS / task).glob(f"{agent}-*"), key=validation_loss)
