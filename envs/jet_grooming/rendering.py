"""Pictures of a jet while it is being groomed: its Lund plane, or its tree as text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets.jets.trees import STATE_FIELDS, mass
from .game import GroomingGame
from .grooming import KEEP, REMOVE
from .tables import Episodes

# What became of a node, beside KEEP and REMOVE.
UNREACHED, CURRENT, AHEAD = range(2, 5)

# status: (label, colour, marker, size), colour-blind safe
_STYLES = {
    AHEAD: ("not visited", "#bbbbbb", "o", 14),
    UNREACHED: ("inside a removed branch", "#ee99aa", "x", 18),
    REMOVE: ("softer branch removed", "#cc3311", "X", 46),
    KEEP: ("kept", "#0077bb", "o", 34),
    CURRENT: ("current", "#000000", "*", 150),
}
_WORDS = {
    KEEP: "kept",
    REMOVE: "softer branch removed",
    UNREACHED: "gone with a removed branch",
    CURRENT: "<- decide here",
    AHEAD: "",
}


@dataclass(frozen=True)
class JetView:
    """What there is to see of one episode.

    Attributes
    ----------
    state
        float32, shape (nodes, 5): node states in visiting order.
    parent
        int64, shape (nodes,): place of each node's parent, -1 for the root.
    softer
        bool, shape (nodes,): whether the node lies in its parent's softer branch.
    status
        int64, shape (nodes,): ``KEEP``, ``REMOVE``, ``UNREACHED``, ``CURRENT`` or ``AHEAD``.
    mass, plain_mass
        Mass as groomed so far and before grooming in GeV.
    title
        Which jet it is.
    """

    state: NDArray[np.float32]
    parent: NDArray[np.int64]
    softer: NDArray[np.bool_]
    status: NDArray[np.int64]
    mass: float
    plain_mass: float
    title: str


def jet_view(game: GroomingGame, episodes: Episodes, env: int) -> JetView:
    """Collect what there is to see of the episode in row ``env``."""
    jet = int(episodes.jet[env])
    place = int(episodes.place[env])
    rows = slice(game.table.first[jet], game.table.first[jet + 1])
    origin = game.source.origin[rows].astype(np.int64)
    places = np.arange(len(origin))
    alive = (episodes.alive[env, places // 64] >> (places % 64).astype(np.uint64)) & np.uint64(1)
    status = np.where(alive == 1, episodes.action[env, : len(origin)], UNREACHED)
    status[(places > place) & (alive == 1)] = AHEAD
    status[place : place + 1] = CURRENT
    signal = jet < game.signals
    name = f"signal jet {jet}" if signal else f"background jet {jet - game.signals}"
    return JetView(
        state=game.table.state[rows],
        parent=np.abs(origin) - 1,
        softer=origin < 0,
        status=status,
        mass=float(mass(episodes.momentum[env])),
        plain_mass=float(game.plain_mass[jet]),
        title=name,
    )


def draw(view: JetView) -> NDArray[np.uint8]:
    """Draw the Lund plane of a jet.

    Parameters
    ----------
    view
        The jet.

    Returns
    -------
    numpy.ndarray
        uint8, shape (500, 600, 3).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    ln_inverse_delta = -view.state[:, STATE_FIELDS.index("ln_Delta")]
    ln_kt = view.state[:, STATE_FIELDS.index("ln_kt")]
    for status, (label, colour, marker, size) in _STYLES.items():
        chosen = view.status == status
        axes.scatter(
            ln_inverse_delta[chosen],
            ln_kt[chosen],
            s=size,
            c=colour,
            marker=marker,
            label=label,
            linewidths=1,
        )
    axes.set(
        xlim=(-0.5, 8),
        ylim=(-7, 7),
        xlabel=r"$\ln(1/\Delta)$",
        ylabel=r"$\ln(k_t/\mathrm{GeV})$",
        title=f"{view.title}:  m = {view.mass:.1f} GeV  (plain {view.plain_mass:.1f} GeV)",
    )
    axes.legend(loc="upper right", fontsize="small", frameon=False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write(view: JetView) -> str:
    """Write the tree of a jet, one node a line, indented by depth.

    Parameters
    ----------
    view
        The jet.

    Returns
    -------
    str
    """
    children: list[list[int]] = [[] for _ in view.parent]
    for place, parent in enumerate(view.parent):
        if parent >= 0:
            children[parent].append(place)
    lines = [f"{view.title}: m = {view.mass:.2f} GeV (plain {view.plain_mass:.2f} GeV)"]
    waiting = [(0, 0)]
    while waiting:
        place, depth = waiting.pop()
        z, delta, kt = np.exp(
            [view.state[place, STATE_FIELDS.index(n)] for n in ("ln_z", "ln_Delta", "ln_kt")]
        )
        branch = "root  " if place == 0 else "softer" if view.softer[place] else "harder"
        lines.append(
            f"{'  ' * depth}{branch} z={z:.3f} Delta={delta:.3f} kt={kt:.2f} GeV  "
            f"{_WORDS[int(view.status[place])]}".rstrip()
        )
        # Last in, first out: the harder branch is written right below its parent.
        waiting.extend(
            (child, depth + 1)
            for child in sorted(children[place], key=lambda c: not view.softer[c])
        )
    return "\n".join(lines)
