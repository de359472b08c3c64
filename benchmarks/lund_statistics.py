"""What the statistics of Lund images say: pairs against their domains, averages against jets.

Run:  python benchmarks/lund_statistics.py
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from hepgym.datasets.jets.lund_images import average_images, lund_images
from hepgym.leaderboards.image_distances import POPULATED

PAIRS = {
    "jets/QCD-500GeV-parton-v1": "jets/QCD-500GeV-parton-of-detector-v1",
    "jets/QCD-500GeV-detector-v1": "jets/QCD-500GeV-detector-of-parton-v1",
}


def main() -> None:
    """Print both comparisons."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("average image on populated pixels: mean difference, chi2 per pixel")
    for domain, pairs in PAIRS.items():
        difference, chi2 = compare(lund_images(domain), lund_images(pairs))
        print(f"{pairs:40s} {difference:8.1%} {chi2:8.2f}")
    jets = lund_images("jets/QCD-500GeV-v1")
    random = np.random.default_rng(0)
    share = jets.mean(axis=0)
    drawn = {
        "averages over 32": average_images(jets, 32, seed=1, number=20_000),
        "independent pixels": np.broadcast_to(share, (20_000, *share.shape)),
    }
    print(f"sum of p (1 - p) over pixels: {float((share * (1 - share)).sum()):.2f}")
    print(f"variance of the number of active pixels: jets {jets.sum(axis=(1, 2)).var():.2f}")
    for name, chance in drawn.items():
        number = (random.random(chance.shape, np.float32) < chance).sum(axis=(1, 2))
        shift = abs(number.var() - jets.sum(axis=(1, 2)).var()) / 200
        print(f"  pixels drawn from {name}: {number.var():.2f}, |dVar N| / 200 = {shift:.4f}")


def compare(images: NDArray[np.float32], others: NDArray[np.float32]) -> tuple[float, float]:
    """Mean relative difference of average images, and chi2 per pixel."""
    one, other = images.mean(axis=0), others.mean(axis=0)
    populated = one > POPULATED
    error2 = (one * (1 - one) * (1 / len(images) + 1 / len(others)))[populated]
    shift = (other - one)[populated]
    return float(np.abs(shift / one[populated]).mean()), float((shift**2 / error2).mean())


if __name__ == "__main__":
    main()
