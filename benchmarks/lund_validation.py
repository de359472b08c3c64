"""Primary Lund planes of the bundled test jets against the published JetsGame histograms.

Run:  python benchmarks/lund_validation.py FOLDER --figure docs/figures/lund-validation.png

FOLDER holds WW_500GeV_hist.dat.gz, QCD_500GeV_hist.dat.gz, Top_500GeV_hist.dat.gz and
QCD_500GeV_parton_hist.dat.gz of DOI 10.5281/zenodo.2602515.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hepgym.datasets import load_trees
from hepgym.datasets.jets.lund import projection_with_error, read_published
from hepgym.leaderboards.figures.style import BACKGROUND, SIGNAL, hep_figure, save

PUBLISHED = {
    "W": ("jets/W-500GeV-v1", "WW_500GeV"),
    "QCD": ("jets/QCD-500GeV-v1", "QCD_500GeV"),
    "top": ("jets/top-500GeV-v1", "Top_500GeV"),
    "QCD parton": ("jets/QCD-500GeV-parton-v1", "QCD_500GeV_parton"),
}
LABELS = (r"$\ln(1/\Delta)$", r"$\ln(k_t/\mathrm{GeV})$")


def main() -> None:
    """Print the agreement and draw the projections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--figure", type=Path, default=Path("lund-validation.png"))
    arguments = parser.parse_args()
    print("process    axis          bins  mean deviation  largest deviation / standard error")
    with hep_figure(16, 8) as figure:
        grid = figure.add_gridspec(4, 4, height_ratios=(3, 1, 3, 1))
        for column, (process, (dataset, name)) in enumerate(PUBLISHED.items()):
            trees = load_trees(dataset, split="test")
            published = read_published(arguments.folder / f"{name}_hist.dat.gz")
            for axis, edges in enumerate((published.x_edges, published.y_edges)):
                expected = published.projection(axis)
                share, error = projection_with_error(trees, published, axis)
                used = expected > 0.01
                deviation = np.abs(share[used] / expected[used] - 1)
                pull = np.abs(share[used] - expected[used]) / error[used]
                print(
                    f"{process:10s} {('ln 1/Delta', 'ln kt')[axis]:12s} {used.sum():5d}"
                    f" {deviation.mean():14.2%} {pull.max():24.2f}"
                )
                centres = 0.5 * (edges[1:] + edges[:-1])[used]
                above = figure.add_subplot(grid[2 * axis, column])
                above.stairs(expected, edges, color=BACKGROUND, label="published")
                above.errorbar(
                    centres, share[used], error[used], fmt="o", ms=3, color=SIGNAL, label="hepgym"
                )
                above.legend(title=f"{process} jets")
                above.margins(y=0.25)
                if column == 0:
                    above.set_ylabel("share of splittings")
                below = figure.add_subplot(grid[2 * axis + 1, column], sharex=above)
                below.axhline(1, color=BACKGROUND)
                below.errorbar(
                    centres,
                    share[used] / expected[used],
                    error[used] / expected[used],
                    fmt="o",
                    ms=3,
                    color=SIGNAL,
                )
                below.set(ylim=(0.88, 1.12), xlabel=LABELS[axis])
                if column == 0:
                    below.set_ylabel("ratio")
        save(figure, arguments.figure)
    print(f"figure: {arguments.figure}")


if __name__ == "__main__":
    main()
