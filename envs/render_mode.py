"""The render mode of an environment: checked when it is made, missed when nothing is drawn."""

from __future__ import annotations

from typing import Any

from gymnasium import logger


def checked_render_mode(render_mode: str | None, metadata: dict[str, Any]) -> str | None:
    """Check a render mode.

    Parameters
    ----------
    render_mode
        A name, or None to draw nothing.
    metadata
        The environment's metadata; its ``render_modes`` are known.

    Raises
    ------
    ValueError
        If the environment has no such mode.
    """
    known = metadata["render_modes"]
    if render_mode is not None and render_mode not in known:
        which = "is none of" if len(known) > 1 else "is not"
        raise ValueError(f"render_mode {render_mode!r} {which} {', '.join(known)}")
    return render_mode


def warn_without_mode(metadata: dict[str, Any]) -> None:
    """Tell a user who renders an environment that was made without a mode how to make it."""
    modes = " or ".join(f'"{mode}"' for mode in metadata["render_modes"])
    logger.warn(f"nothing is rendered: make the environment with render_mode={modes}")
