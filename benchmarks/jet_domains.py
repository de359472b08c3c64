"""Training of the published CycleGAN: images/s, where the time goes, FLOP/s against the limit.

One run, one line for each part: the whole training step (batch 128, 32 filters, 24 x 24 pixels),
its parts, and the same part computed the plain way where hepgym computes it otherwise. The limit is
a product of two 1024 x 1024 matrices in TensorFlow on the same threads. FLOPs are those of the
convolutions as they are computed, 2 for each product and sum; the plain ones do more.

Run:  python benchmarks/jet_domains.py --threads 2
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PIXELS = 24
STEPS = 468
"""Steps of the published training: 3 epochs of 20,000 images in batches of 128."""


def seconds(call: Callable[[], Any], repeats: int) -> float:
    """Shortest of some runs, after one that compiles and one that warms up."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times[2:])


def generator_flops(filters: int, folded: bool) -> float:
    """FLOPs of the convolutions of a generator for one image."""
    taps = 9 if folded else 16  # for each pixel of the output
    half, quarter, eighth = ((PIXELS // 2**k) ** 2 for k in (1, 2, 3))
    down = 16 * (half * filters + quarter * 2 * filters**2 + eighth * 8 * filters**2)
    up = taps * (quarter * 8 * filters**2 + half * 4 * filters**2 + PIXELS**2 * 2 * filters)
    return 2.0 * (down + up)


def discriminator_flops(filters: int) -> float:
    """FLOPs of the convolutions of a discriminator for one image."""
    half, quarter, eighth = ((PIXELS // 2**k) ** 2 for k in (1, 2, 3))
    return 32.0 * (
        half * filters + quarter * 2 * filters**2 + eighth * 8 * filters**2 + eighth * 4 * filters
    )


def step_flops(batch: int, filters: int, folded: bool) -> float:
    """FLOPs of a step.

    Six passes of a batch through generators (translation, identity, cycle, in both directions),
    each forwards and twice backwards; four through discriminators that learn, and two that only
    hand gradients on.
    """
    judged = (4 * 3 + 2 * 2) * discriminator_flops(filters)
    return batch * (6 * 3 * generator_flops(filters, folded) + judged)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--no-plain", action="store_true", help="leave out the plain ways")
    parser.add_argument("--xla", action="store_true", help="also the training step under XLA")
    arguments = parser.parse_args()

    from hepgym.agents.jet_domains.settings import CycleGANSettings
    from hepgym.backend import keras, tensorflow

    tf = tensorflow()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from hepgym.agents.jet_domains.layers import InstanceNormalization, UpsamplingConv2D
    from hepgym.agents.jet_domains.training import Training

    batch, filters, repeats = arguments.batch, arguments.filters, arguments.repeats
    random = np.random.default_rng(0)

    def draw(*shape: int) -> Any:
        return tf.constant(random.normal(size=shape).astype(np.float32))

    def row(name: str, time_s: float, flops: float = 0.0) -> None:
        speed = f"{flops / time_s / 1e9:8.1f} GFLOP/s {flops / time_s / limit:6.1%}"
        print(f"{name:58} {1e3 * time_s:9.2f} ms {speed if flops else ''}", flush=True)

    def differentiated(call: Callable[[Any], Any], weights: Callable[[], Any]) -> Any:
        def both(x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(tf.square(call(x)))
            return tape.gradient(loss, [x, *weights()])

        return tf.function(both, autograph=False)

    matrix = draw(1024, 1024)
    product = tf.function(lambda m: tf.linalg.matmul(m, m))
    time_s = seconds(lambda: product(matrix).numpy(), repeats)
    limit = 2.0 * 1024**3 / time_s
    print(f"batch {batch}, {filters} filters, {arguments.threads} thread(s)")
    row("product of matrices 1024 x 1024", time_s, 2.0 * 1024**3)

    settings = CycleGANSettings(
        batch_size=batch,
        images_per_epoch=2 * batch,
        generator_filters=filters,
        discriminator_filters=filters,
    )
    jets = {role: random.binomial(1, 0.1, (400, PIXELS, PIXELS)).astype("f4") for role in "AB"}
    with tempfile.TemporaryDirectory() as folder:
        training = Training(settings, jets, jets, Path(folder))
        a, b = draw(batch, PIXELS, PIXELS, 1), draw(batch, PIXELS, PIXELS, 1)
        whole = seconds(lambda: training.step(a, b).numpy(), repeats)
        if arguments.xla:
            joined = tf.function(training.step.python_function, autograph=False, jit_compile=True)
            time_s = seconds(lambda: joined(a, b).numpy(), repeats)
            row("training step, XLA", time_s, step_flops(batch, filters, folded=True))
    row("training step", whole, step_flops(batch, filters, folded=True))
    print(
        f"{2 * batch / whole:.0f} images/s; published training, {STEPS} steps: "
        f"{STEPS * whole / 60:.1f} min"
    )

    both = draw(2 * batch, PIXELS, PIXELS, 1)
    for name, network, flops in (
        ("generator", training.generators[0], generator_flops(filters, folded=True)),
        ("discriminator", training.discriminators[0], discriminator_flops(filters)),
    ):
        there = tf.function(network)
        time_s = seconds(lambda there=there: there(both).numpy(), repeats)
        row(f"{name}, {2 * batch} images", time_s, 2 * batch * flops)
        back = differentiated(network, lambda network=network: network.trainable_variables)
        time_s = seconds(lambda back=back: back(both)[0].numpy(), repeats)
        row(f"{name} and gradients", time_s, 3 * 2 * batch * flops)

    wide = draw(2 * batch, PIXELS // 2, PIXELS // 2, filters)
    deep = draw(2 * batch, PIXELS // 2, PIXELS // 2, 2 * filters)
    layers = keras().layers
    pairs = [
        ("last layer of the generator", deep, UpsamplingConv2D(1), _plain_upsampling(layers)),
        ("normalisation", wide, InstanceNormalization(), _plain_normalisation(tf)),
    ]
    for name, images, own, plain in pairs:
        for kind, layer in (("", own), (", plain", plain)):
            if kind and arguments.no_plain:
                continue
            layer(images)
            call = differentiated(layer, lambda layer=layer: getattr(layer, "weights", []))
            time_s = seconds(lambda call=call, images=images: call(images)[0].numpy(), repeats)
            row(f"{name} and gradients{kind}", time_s)


def _plain_upsampling(layers: Any) -> Any:
    from hepgym.backend import keras

    return keras().Sequential([layers.UpSampling2D(2), layers.Conv2D(1, 4, padding="same")])


def _plain_normalisation(tf: Any) -> Callable[[Any], Any]:
    def normalise(x: Any) -> Any:
        mean, variance = tf.nn.moments(x, (1, 2, 3), keepdims=True)
        return (x - mean) / (tf.sqrt(variance) + 1e-3)

    return normalise


if __name__ == "__main__":
    main()
