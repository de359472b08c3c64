"""A network as an ONNX graph, for use without Keras or TensorFlow."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .groomer import TrainedGroomer

ONNX_FILE = "model.onnx"

_OPSET = 17


def export_onnx(groomer: TrainedGroomer, file: Path) -> Path:
    """Write the network as ONNX: input ``state`` (n, state_dim), output ``q`` (n, 2), float32.

    Parameters
    ----------
    groomer
        The agent.
    file
        The file.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If the package onnx is not installed.
    """
    try:
        onnx: Any = importlib.import_module("onnx")
    except ImportError:
        raise ValueError("ONNX export needs the package onnx: pip install onnx") from None
    graph = _Graph(onnx)
    settings, network = groomer.settings, groomer.network
    x = "state"
    if settings.standardise:
        layer = network.get_layer("standard")
        x = graph.node("Sub", [x, graph.constant(np.asarray(layer.mean))])
        deviation = np.maximum(np.sqrt(np.asarray(layer.variance)), 1e-7)  # as the layer does
        x = graph.node("Div", [x, graph.constant(deviation)])
    for i in range(settings.layers):
        weights = network.get_layer(f"hidden_{i + 1}").get_weights()
        if settings.architecture == "lstm":
            x = _lstm(graph, x, weights)
        else:
            x = graph.node("Relu", [graph.linear(x, *weights)])
    q = graph.linear(x, *network.get_layer("advantage").get_weights())
    if settings.dueling:
        value = graph.linear(x, *network.get_layer("value").get_weights())
        mean = graph.node("ReduceMean", [q], axes=[-1], keepdims=1)
        q = graph.node("Add", [value, graph.node("Sub", [q, mean])])
    graph.node("Identity", [q], output="q")
    onnx.save(graph.model(settings.components), file)
    return file


def _lstm(graph: _Graph, x: str, weights: list[NDArray[np.float32]]) -> str:
    """One LSTM layer that sees a single node: nothing is remembered, nothing forgotten."""
    kernel, _, bias = weights
    # Keras orders the gates input, forget, cell, output.
    gates = [
        graph.linear(x, w, b)
        for w, b in zip(np.split(kernel, 4, axis=1), np.split(bias, 4), strict=True)
    ]
    opened = graph.node("Sigmoid", [gates[0]])
    cell = graph.node("Mul", [opened, graph.node("Tanh", [gates[2]])])
    return graph.node("Mul", [graph.node("Sigmoid", [gates[3]]), graph.node("Tanh", [cell])])


class _Graph:
    """An ONNX graph under construction; values are known by their names."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, array: NDArray[np.floating]) -> str:
        name = f"constant_{len(self._constants)}"
        values = np.asarray(array, np.float32)
        self._constants.append(self._onnx.numpy_helper.from_array(values, name))
        return name

    def node(
        self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any
    ) -> str:
        output = output or f"value_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(kind, inputs, [output], **attributes))
        return output

    def linear(self, x: str, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        return self.node("Gemm", [x, self.constant(kernel), self.constant(bias)])

    def model(self, state_dim: int) -> Any:
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            "q",
            [helper.make_tensor_value_info("state", kind, ["n", state_dim])],
            [helper.make_tensor_value_info("q", kind, ["n", 2])],
            self._constants,
        )
        # The IR version that goes with the opset, so that older runtimes read the file.
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8
        )
        self._onnx.checker.check_model(model, full_check=True)
        return model
