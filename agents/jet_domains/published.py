"""Published CycleJet generators (weights of Keras 2 in HDF5), rebuilt without running their code.

JetsGame/CycleJet keeps for each pair of domains a folder with ``generatorAB.h5``,
``generatorBA.h5`` and the settings, ``input-runcard.json`` (YAML in spite of its name). The files
hold weights only: the scaling and whitening of the authors' samples were not published.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ...datasets.jets.image_transform import ImageTransform
from .cyclegan import CycleGAN, compact
from .settings import CycleGANSettings
from .translator import Images

GENERATORS = ("generatorAB.h5", "generatorBA.h5")
RUNCARD = "input-runcard.json"

_Arrays = list[NDArray[np.float32]]
_ROLES: dict[tuple[str, ...], str] = {
    ("kernel", "bias"): "convolution",
    ("gamma", "beta"): "normalisation",
}


def import_cyclejet(folder: Path, images: Mapping[str, Images]) -> CycleGAN:
    """Rebuild a published pair of generators as a translator.

    Parameters
    ----------
    folder
        With ``generatorAB.h5`` and ``generatorBA.h5`` and, if it is there, ``input-runcard.json``.
    images
        "A" and "B" to train images, shape (n, 24, 24), averaged over as many jets as the authors'.
        Scaling and whitening are learnt from them.

    Returns
    -------
    CycleGAN

    Raises
    ------
    ValueError
        If the files are missing or do not hold such generators.
    """
    from .networks import build_generator

    layers = [_read_layers(folder / name) for name in GENERATORS]
    filters = [one[0][1][0].shape[-1] for one in layers]
    settings = _read_settings(folder, filters[0])
    generators = []
    for number, (name, found) in enumerate(zip(GENERATORS, layers, strict=True)):
        generator = build_generator(settings, number)
        _fill(folder / name, generator, found)
        generators.append(generator)
    transform = ImageTransform(zca=settings.zca).fit(np.concatenate([images["A"], images["B"]]))
    compact(transform)
    return CycleGAN((generators[0], generators[1]), transform, settings)


def _read_layers(file: Path) -> list[tuple[str, _Arrays]]:
    """Layers with weights in the order of the network: what they are, and their weights."""
    import h5py  # type: ignore[import-untyped]

    if not file.is_file():
        raise ValueError(f"{file} does not exist: give the folder of a published pair")
    out = []
    try:
        with h5py.File(file) as content:
            # `Model.save` puts everything one level down, `Model.save_weights` does not.
            root = content.get("model_weights", content)
            for layer in map(_text, root.attrs["layer_names"]):
                names = [_text(name) for name in root[layer].attrs["weight_names"]]
                if names:
                    kind = tuple(name.rpartition("/")[2].partition(":")[0] for name in names)
                    arrays = [np.asarray(root[layer][name], np.float32) for name in names]
                    out.append((_ROLES[kind], arrays))
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} does not hold the weights of a CycleJet generator ({error}): it must be HDF5 "
            "as Keras 2 writes it, with convolutions and instance normalisations"
        ) from None
    if not out or out[0][0] != "convolution" or out[0][1][0].ndim != 4:
        raise ValueError(f"{file} does not begin with a convolution of images")
    return out


def _read_settings(folder: Path, filters: int) -> CycleGANSettings:
    """Read the settings of a training from its runcard, or take the published ones."""
    file = folder / RUNCARD
    if not file.is_file():
        return CycleGANSettings(generator_filters=filters)
    try:
        card: dict[str, Any] = yaml.safe_load(file.read_text())
        for name, value in {"npixels": 24, "scaler": "standard", "optimizer": "Adam"}.items():
            if card[name] != value:
                raise ValueError(f"{name} is {card[name]!r}, only {value!r} can be imported")
        rate = float(card["learning_rate"])
        return CycleGANSettings(
            epochs=card["epochs"],
            images_per_epoch=card["nev"],
            batch_size=card["batch_size"],
            generator_filters=filters,
            discriminator_filters=card["d_filters"],
            lambda_cycle=card["lambda_cycle"],
            lambda_identity=card["lambda_id_factor"] * card["lambda_cycle"],
            learning_rate=rate,
            final_learning_rate=rate,
            beta1=card["opt_beta1"],
            zca=bool(card["zca"]),
        )
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file} is not a CycleJet runcard that can be used: {reason}") from None


def _fill(file: Path, generator: Any, found: list[tuple[str, _Arrays]]) -> None:
    """Put weights into a generator whose layers with weights come in the same order."""
    own = [layer for layer in generator.layers if layer.weights]
    kinds = ["normalisation" if "norm" in layer.name else "convolution" for layer in own]
    if [kind for kind, _ in found] != kinds:
        raise ValueError(
            f"{file} holds the layers {', '.join(kind for kind, _ in found)}; a generator of "
            f"24 x 24 images has {', '.join(kinds)}"
        )
    for place, (layer, (kind, arrays)) in enumerate(zip(own, found, strict=True)):
        for variable, array in zip(layer.weights, arrays, strict=True):
            if tuple(variable.shape) != array.shape:
                raise ValueError(
                    f"{file}: {kind} {place + 1} has weights of shape {array.shape} where "
                    f"{tuple(variable.shape)} is expected"
                )
            if not np.isfinite(array).all():
                raise ValueError(f"{file}: {kind} {place + 1} has weights that are not finite")
        layer.set_weights(arrays)


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
