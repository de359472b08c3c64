"""Published GroomRL models (Keras 2: JSON and HDF5), rebuilt without running anything in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..networks.network import ACTIONS, build_network
from .groomer import DQNGroomer
from .settings import published_settings

_Weights = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Kernel, shape (inputs, units), and bias, shape (units,)."""


@dataclass(frozen=True)
class _Network:
    """What the JSON says: names and sizes of the dense layers."""

    state_dim: int
    hidden: list[str]
    units: int
    dropout: float
    heads: list[str]
    dueling: bool


def import_groomrl(
    json_path: Path, weights_path: Path, *, task: str = "JetGrooming-v0"
) -> DQNGroomer:
    """Rebuild a published GroomRL model as a groomer.

    Names and sizes of the layers are read from the JSON and the numbers from the HDF5 file. The
    code that the JSON carries for its last layer, the mean of the dueling network, is not run: it
    is replaced by this project's own. The last two linear layers become one.

    Parameters
    ----------
    json_path
        The model's ``.json``, as written by GroomRL.
    weights_path
        The model's weights, ``.h5``.
    task
        What it was trained for.

    Returns
    -------
    DQNGroomer

    Raises
    ------
    ValueError
        If the files do not describe such a model.
    """
    network = _read_architecture(json_path)
    weights = _read_weights(weights_path, [*network.hidden, *network.heads])
    settings = published_settings(
        task,
        state_dim=network.state_dim,
        layers=len(network.hidden),
        units=network.units,
        dropout=network.dropout,
        dueling=network.dueling,
    )
    model = build_network(settings)
    sizes = [network.state_dim]
    for i, name in enumerate(network.hidden):
        _check(weights_path, name, weights[name], (sizes[-1], network.units))
        model.get_layer(f"hidden_{i + 1}").set_weights(weights[name])
        sizes.append(network.units)
    inputs = network.units
    for name in network.heads:
        outputs = ACTIONS + 1 if network.dueling and name == network.heads[-1] else ACTIONS
        _check(weights_path, name, weights[name], (inputs, outputs))
        inputs = outputs
    kernel, bias = _product([weights[name] for name in network.heads])
    if network.dueling:
        model.get_layer("value").set_weights([kernel[:, :1], bias[:1]])
        kernel, bias = kernel[:, 1:], bias[1:]
    model.get_layer("advantage").set_weights([kernel, bias])
    return DQNGroomer(model, settings)


def _read_architecture(file: Path) -> _Network:
    """Names and sizes of the layers, which must be those of a GroomRL model, in one chain."""

    def refuse(why: str) -> ValueError:
        return ValueError(
            f"{file} is not a dense GroomRL model: {why}; expected are Flatten, Dense layers of "
            "equal size with ReLU, Dropout, and a Dense layer for the actions, followed by the "
            "dueling layers or not"
        )

    try:
        content = json.loads(file.read_text())
        # GroomRL wrote the JSON text as a JSON string.
        content = json.loads(content) if isinstance(content, str) else content
        layers = content["config"]["layers"]
        chain = [(layer["class_name"], layer["config"]) for layer in layers]
        before = [[node[0] for node in layer["inbound_nodes"][0]] for layer in layers[1:]]
        names = [layer["name"] for layer in layers]
        if before != [[name] for name in names[:-1]]:
            raise refuse("its layers are not one chain")
        return _read_chain(chain, refuse)
    except (KeyError, IndexError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise refuse(f"it cannot be read ({type(error).__name__}: {error})") from None


def _read_chain(chain: list[tuple[str, dict[str, Any]]], refuse: Any) -> _Network:
    kinds = [kind for kind, _ in chain]
    if kinds[:2] != ["InputLayer", "Flatten"]:
        raise refuse("it does not begin with InputLayer and Flatten")
    shape = chain[0][1]["batch_input_shape"]
    if len(shape) != 3 or shape[:2] != [None, 1]:
        raise refuse(f"its input has shape {shape}")
    rest = chain[2:]
    hidden: list[str] = []
    units: set[int] = set()
    while [kind for kind, _ in rest[:2]] == ["Dense", "Activation"]:
        dense, activation = rest[0][1], rest[1][1]
        if activation["activation"] != "relu":
            break
        hidden.append(dense["name"])
        units.add(dense["units"])
        rest = rest[2:]
    if len(units) != 1:
        raise refuse(f"its hidden layers have sizes {sorted(units)}")
    dropout = 0.0
    if rest and rest[0][0] == "Dropout":
        dropout = float(rest[0][1]["rate"])
        rest = rest[1:]
    for kind, layer in [*chain[2:]]:
        if kind == "Dense" and (layer["activation"] != "linear" or not layer["use_bias"]):
            raise refuse(f"layer {layer['name']} is not linear with a bias")
    end = [
        f"{kind} {layer['units']}" if kind == "Dense" else f"{kind} {layer.get('activation', '')}"
        for kind, layer in rest
    ]
    dueling = end == [f"Dense {ACTIONS}", f"Dense {ACTIONS + 1}", "Lambda "]
    if not dueling and end not in ([f"Dense {ACTIONS}"], [f"Dense {ACTIONS}", "Activation linear"]):
        raise refuse(f"it ends with {', '.join(map(str.strip, end)) or 'no output'}")
    return _Network(
        state_dim=int(shape[2]),
        hidden=hidden,
        units=units.pop(),
        dropout=dropout,
        heads=[layer["name"] for kind, layer in rest if kind == "Dense"],
        dueling=dueling,
    )


def _read_weights(file: Path, layers: list[str]) -> dict[str, _Weights]:
    import h5py  # type: ignore[import-untyped]

    if not file.is_file():
        raise ValueError(f"{file} does not exist: give the HDF5 file with the model's weights")
    out: dict[str, _Weights] = {}
    try:
        with h5py.File(file) as content:
            for name in layers:
                kernel, bias = (
                    np.asarray(content[f"{name}/{name}/{part}:0"], np.float32)
                    for part in ("kernel", "bias")
                )
                out[name] = (kernel, bias)
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} does not hold the weights of that model ({error}): give the HDF5 file that "
            "belongs to the JSON"
        ) from None
    return out


def _check(file: Path, name: str, weights: _Weights, shape: tuple[int, int]) -> None:
    kernel, bias = weights
    if kernel.shape != shape or bias.shape != shape[1:]:
        raise ValueError(
            f"{file}: layer {name} has a kernel of shape {kernel.shape} and a bias of shape "
            f"{bias.shape} but the JSON wants {shape} and {shape[1:]}"
        )
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise ValueError(f"{file}: layer {name} has weights that are not finite numbers")


def _product(layers: list[_Weights]) -> _Weights:
    """One linear layer that does the work of several."""
    kernel, bias = (part.astype(np.float64) for part in layers[0])
    for following, shift in layers[1:]:
        kernel, bias = kernel @ following, bias @ following + shift
    return kernel.astype(np.float32), bias.astype(np.float32)
