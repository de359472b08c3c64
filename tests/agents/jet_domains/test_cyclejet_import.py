"""Published generators, in files with the layout that Keras 2 wrote."""

import h5py
import numpy as np
import pytest

from hepgym.agents.jet_domains.cyclegan import CycleGAN
from hepgym.agents.jet_domains.published import import_cyclejet

FILTERS = 3
RUNCARD = """batch_size: 128
d_filters: 32
epochs: 3
fnA: ../data/train/QCD_500GeV_delphes.json.gz
scaler: standard
g_filters: 3
lambda_cycle: 10.0
lambda_id_factor: 0.2
learning_rate: 0.006708541325527788
navg: 20
nev: 20000
npixels: 24
opt_beta1: 0.7
optimizer: Adam
zca: 1
"""
SHAPES = [
    (4, 4, 1, FILTERS),
    (4, 4, FILTERS, 2 * FILTERS),
    (4, 4, 2 * FILTERS, 4 * FILTERS),
    (4, 4, 4 * FILTERS, 2 * FILTERS),
    (4, 4, 4 * FILTERS, FILTERS),
    (4, 4, 2 * FILTERS, 1),
]


def draw_weights(seed):
    random = np.random.default_rng(seed)
    convolutions = [
        (random.normal(0, 0.3, shape).astype(np.float32), random.normal(0, 0.1, shape[-1]))
        for shape in SHAPES
    ]
    norms = [(random.uniform(0.5, 1.5), random.normal(0, 0.2)) for _ in SHAPES[:-1]]
    return convolutions, norms


def write(file, convolutions, norms):
    """As `Model.save_weights` of Keras 2: layers without weights are listed too."""
    with h5py.File(file, "w") as content:
        content.attrs["backend"] = b"tensorflow"
        content.attrs["keras_version"] = b"2.2.4"
        layers = [("input_3", {})]
        for i, (kernel, bias) in enumerate(convolutions):
            if i >= 3:
                layers.append((f"up_sampling2d_{i - 2}", {}))
            layers.append((f"conv2d_{i + 9}", {"kernel:0": kernel, "bias:0": bias}))
            if i < 3:
                layers.append((f"leaky_re_lu_{i + 7}", {}))
            if i < 5:
                weights = dict(zip(("gamma:0", "beta:0"), ([x] for x in norms[i]), strict=True))
                layers.append((f"instance_normalization_{i + 5}", weights))
            if i in (3, 4):
                layers.append((f"concatenate_{i - 2}", {}))
        content.attrs["layer_names"] = [name.encode() for name, _ in layers]
        for name, weights in layers:
            group = content.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{part}".encode() for part in weights]
            for part, values in weights.items():
                group.create_dataset(f"{name}/{part}", data=np.asarray(values, np.float32))


def convolve(x, kernel, bias, stride):
    """Padding "same" of TensorFlow: what is odd goes to the end."""
    x = np.pad(x, ((0, 0), (1, 1 if stride == 2 else 2), (1, 1 if stride == 2 else 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (4, 4), axis=(1, 2))
    return np.einsum("nyxckl,klco->nyxo", windows[:, ::stride, ::stride], kernel) + bias


def normalise(x, gamma, beta):
    mean, std = (f(x, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.std))
    return gamma * (x - mean) / (std + 1e-3) + beta


def forward(x, convolutions, norms):
    """The published generator in NumPy, in double precision."""
    skips = []
    x = x.astype(np.float64)
    for i in range(3):
        x = convolve(x, *convolutions[i], 2)
        x = normalise(np.where(x > 0, x, 0.2 * x), *norms[i])
        skips.append(x)
    for i, skip in zip((3, 4), skips[1::-1], strict=True):
        x = convolve(x.repeat(2, axis=1).repeat(2, axis=2), *convolutions[i], 1)
        x = np.concatenate([normalise(np.maximum(x, 0), *norms[i]), skip], axis=3)
    return np.tanh(convolve(x.repeat(2, axis=1).repeat(2, axis=2), *convolutions[5], 1))


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(3)
    return {role: random.binomial(20, 0.2, (700, 24, 24)).astype("f4") / 20 for role in "AB"}


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("generatorAB.h5", "generatorBA.h5")):
        write(tmp_path / name, *draw_weights(seed))
    (tmp_path / "input-runcard.json").write_text(RUNCARD)
    return tmp_path


def test_forward_pass(folder, images):
    """As NumPy computes it, from preprocessing to its inverse; the same after saving."""
    translator = import_cyclejet(folder, images)
    assert translator.settings.generator_filters == FILTERS
    assert translator.settings.lambda_identity == 2.0
    assert translator.settings.images_per_epoch == 20_000
    translator.save(folder / "model")
    again = CycleGAN.load(folder / "model")
    some = images["A"][:5]
    white = translator.transform.transform(some)[..., None]
    for seed, (there, kept) in enumerate(
        [(translator.a_to_b, again.a_to_b), (translator.b_to_a, again.b_to_a)]
    ):
        expected = forward(white, *draw_weights(seed))
        made = np.asarray(translator.generators[seed](white))
        np.testing.assert_allclose(made, expected, atol=2e-5)
        assert expected.std() > 0.1
        back = translator.transform.inverse_transform(expected[..., 0])
        np.testing.assert_allclose(there(some), np.clip(back, 0, 1), atol=1e-4)
        np.testing.assert_allclose(kept(some), there(some), atol=1e-6)


def test_without_runcard(folder, images):
    (folder / "input-runcard.json").unlink()
    assert import_cyclejet(folder, images).settings.learning_rate == pytest.approx(6.7085e-3, 1e-4)


def test_bad_files(folder, images, tmp_path):
    convolutions, norms = draw_weights(0)
    file = folder / "generatorBA.h5"
    write(file, convolutions, [*norms[:4], (np.nan, 0.0)])
    with pytest.raises(ValueError, match=r"generatorBA\.h5: normalisation 10 has weights that are"):
        import_cyclejet(folder, images)
    other = [(np.zeros((4, 4, *k.shape[2:])), np.zeros(k.shape[3])) for k, _ in convolutions]
    other[1] = (np.zeros((4, 4, 5, 6)), np.zeros(6))
    write(file, other, norms)
    with pytest.raises(ValueError, match=r"convolution 3 has weights of shape \(4, 4, 5, 6\)"):
        import_cyclejet(folder, images)
    write(file, convolutions[:5], norms)
    with pytest.raises(ValueError, match=r"holds the layers .*; a generator of 24 x 24 images has"):
        import_cyclejet(folder, images)
    file.write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match=r"generatorBA\.h5 does not hold the weights"):
        import_cyclejet(folder, images)
    (folder / "input-runcard.json").write_text(RUNCARD.replace("npixels: 24", "npixels: 16"))
    write(file, convolutions, norms)
    with pytest.raises(ValueError, match="npixels is 16, only 24 can be imported"):
        import_cyclejet(folder, images)
    file.unlink()
    with pytest.raises(ValueError, match=r"generatorBA\.h5 does not exist"):
        import_cyclejet(folder, images)
