"""Integrals of the physics integrands, each in at least two independent ways.

Ways:

- quadrature: products of Gauss-Legendre rules, with the difference from a coarser one as error;
- points drawn from the density that VEGAS+ has learnt, with the integrand's own map of phase space
  and with another one; for many partons also from the density of a normalizing flow, and for
  gg-gggg points of Parke and Taylor's formula, thinned out by its weights before the amplitude is
  computed;
- Pythia 8's own matrix elements and integration, with the same constants, scale and densities;
- closed forms.

Run:  python benchmarks/integrands.py gg-tt gg-ggg
      python benchmarks/integrands.py all --calls 4e6 --repeats 10 --runs runs.jsonl

Each line is one way, with its error, and how far it is from the shipped value in standard errors.
Runs that the file of --runs holds already are not done again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hepgym.agents.vegas_sampling import VegasPlus, make_sampler
from hepgym.datasets.integrands import constants, hadronic_three, integrand, leptonic, multiparton
from hepgym.datasets.integrands.integrand import Integrand
from hepgym.datasets.integrands.references import REFERENCES

Value = tuple[float, float]
Way = tuple[str, Callable[[], Value]]


CHUNK = 250_000
"""Points that are drawn at once."""

LIMIT = 4.0
"""Points whose weight is below so many times the mean are thinned out in `thinned`."""


LEARNING: dict[str, dict[str, Any]] = {"vegas-plus": {}, "flow": {"training_share": 0.95}}
"""Samplers and their parameters where all that counts is the density that they learn."""


class Runs:
    """Results of runs, kept in a file of JSON lines.

    Parameters
    ----------
    file
        None to keep nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._done: dict[str, Value] = {}
        if file is not None and file.exists():
            for line in file.read_text().splitlines():
                row = json.loads(line)
                self._done[json.dumps(row["run"])] = row["value"], row["error"]

    def mean(self, run: Callable[[int], Value], repeats: int, *key: str | int) -> Value:
        """Mean of runs with the seeds 0, 1, and so on; a key names what they depend on besides."""
        found = []
        for seed in range(repeats):
            name = json.dumps([*key, seed])
            if name not in self._done:
                value, error = self._done[name] = run(seed)
                if self._file is not None:
                    with self._file.open("a") as lines:
                        row = {"run": [*key, seed], "value": value, "error": error}
                        lines.write(json.dumps(row) + "\n")
            found.append(self._done[name])
        values, errors = np.array(found).T
        return float(values.mean()), float(np.sqrt((errors**2).sum())) / repeats


def drawn(function: Integrand, sampler: str, calls: int, seed: int) -> Value:
    """Mean over points from a density that a sampler has learnt.

    A quarter of the calls goes into learning. Only the points drawn afterwards from the frozen
    density count: their mean is unbiased, while an average of iterations weighted with their own
    errors is low if large weights are rare.
    """
    learner = make_sampler(sampler, **LEARNING[sampler])
    learner.integrate(function, calls // 4, seed)
    number = calls - calls // 4
    total, square = 0.0, 0.0
    for part, start in enumerate(range(0, number, CHUNK)):
        points, density = learner.sample(min(CHUNK, number - start), 1000 * seed + part)
        weights = function(points) / density
        total += float(weights.sum())
        square += float((weights**2).sum())
    return _value(total, square, number)


def thinned(function: Integrand, cheap: Integrand, calls: int, seed: int) -> Value:
    """Mean over points of a cheap approximation, most of which are left out at random.

    A point stays with the probability min(1, w / `LIMIT`), where w is its weight with the cheap
    integrand over the mean, and then counts for the inverse: unbiased wherever the cheap integrand
    vanishes only with the other one. A last coordinate that only the other one has is uniform.
    """
    sampler = VegasPlus()
    limit = LIMIT * sampler.integrate(cheap, calls // 4, seed).estimate
    number = calls - calls // 4
    total, square = 0.0, 0.0
    for part, start in enumerate(range(0, number, CHUNK)):
        stream = 1000 * seed + part
        points, density = sampler.sample(min(CHUNK, number - start), stream)
        chance = np.minimum(cheap(points) / density / limit, 1.0)
        random = np.random.default_rng([stream, 1])
        stays = random.random(len(points)) < chance
        last = random.random((int(stays.sum()), function.dim - cheap.dim))
        values = function(np.hstack([points[stays], last]))
        weights = values / (density * chance)[stays]
        total += float(weights.sum())
        square += float((weights**2).sum())
    return _value(total, square, number)


def _value(total: float, square: float, number: int) -> Value:
    """Mean and standard error from sums of weights and of their squares."""
    mean = total / number
    return mean, math.sqrt((square / number - mean**2) / number)


def other_map(name: str, kernel: Any, dim: int) -> Integrand:
    """Give an integrand with another map of phase space."""
    return dataclasses.replace(integrand(name), kernel=kernel, dim=dim, builtin=False)


def quadrature(function: Integrand, orders: tuple[int, ...], pieces: tuple[int, ...]) -> Value:
    """Integrate by products of Gauss-Legendre rules on pieces of each axis.

    The pieces become smaller towards both ends: there are peaks in the polar angle.
    """

    def rule(order: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
        x, w = np.polynomial.legendre.leggauss(order)
        starts = np.arange(parts)[:, None]
        u = ((starts + 0.5 * (x + 1)) / parts).ravel()
        sum_ = u**3 + (1 - u) ** 3
        return u**3 / sum_, np.tile(0.5 * w / parts, parts) * 3 * (u * (1 - u) / sum_) ** 2

    def total(order: tuple[int, ...]) -> float:
        rules = [rule(*each) for each in zip(order, pieces, strict=True)]
        found = 0.0
        # One slab of the first axis after another.
        for x, w in zip(*rules[0], strict=True):
            grid = np.meshgrid([x], *[each[0] for each in rules[1:]], indexing="ij")
            weight = w
            for each in rules[1:]:
                weight = np.multiply.outer(weight, each[1])
            found += weight.ravel() @ function(np.stack([g.ravel() for g in grid], axis=1))
        return found

    fine = total(orders)
    return fine, abs(fine - total(tuple(max(2, order // 2) for order in orders)))


def pythia(settings: list[str], events: int, keep: Callable[[Any], bool] | None = None) -> Value:
    """Cross section in pb of Pythia's processes, by default of all, else of events to keep."""
    import pythia8mc

    generator = pythia8mc.Pythia("", False)
    common = [
        "Print:quiet = on",
        "Random:setSeed = on",
        "Random:seed = 1",
        "PartonLevel:all = off",
        "HadronLevel:all = off",
        "ProcessLevel:resonanceDecays = off",
        "Check:event = off",
        "SigmaProcess:alphaSvalue = 0.118",
        "SigmaProcess:alphaSorder = 0",
        "SigmaProcess:alphaEMorder = -1",
        f"StandardModel:alphaEMmZ = {constants.ALPHA_EM!r}",
        f"StandardModel:sin2thetaW = {constants.SIN2_THETA}",
        f"StandardModel:sin2thetaWbar = {constants.SIN2_THETA}",
        "6:m0 = 173",
        "6:mWidth = 0",
        "6:doForceWidth = on",
        "6:mMin = 172.9999",
        "6:mMax = 173.0001",
    ]
    protons = [
        "Beams:eCM = 13000",
        f"PDF:pSet = LHAGrid1:{constants.PDF}_0000.dat",
        *(
            f"SigmaProcess:{kind}Scale{number}"
            for kind in ("renorm", "factor")
            for number in ("2 = 5", "3 = 6", "3VV = 6")
        ),
        "SigmaProcess:renormFixScale = 29929",
        "SigmaProcess:factorFixScale = 29929",
    ]
    leptons = any("Beams:idA" in setting for setting in settings)
    for setting in [*common, *([] if leptons else protons), *settings]:
        if not generator.readString(setting):
            raise ValueError(f"Pythia refused {setting!r}")
    if not generator.init():
        raise ValueError("Pythia did not start")
    kept = 0
    for _ in range(events):
        generator.next()
        kept += keep is None or keep(generator)
    info = generator.infoPython()
    value, error = info.sigmaGen() * 1e9, info.sigmaErr() * 1e9
    share = kept / events
    binomial = math.sqrt(share * (1 - share) / events) * value
    # Pythia has one GeV^-2 = 0.389380 mb, and constants with six digits.
    correction = constants.PICOBARN / 0.389380e9
    total = math.hypot(error * share, binomial, 1e-6 * value)
    return value * share * correction, total * correction


def muon_form() -> Value:
    even, _ = leptonic.muon_couplings(leptonic.MUON_ENERGY)
    return 8.0 / 3.0 * even, 0.0


def three_jet_form() -> Value:
    """Integral of (x1^2 + x2^2) / ((1 - x1) (1 - x2)) where no pair has y below the cut."""
    y = leptonic.Y_MIN
    x, w = np.polynomial.legendre.leggauss(200)
    # In a = ln(1 - x1) the integrand is smooth; over x2 it is integrated in closed form.
    low, high = math.log(y), math.log(1.0 - 2.0 * y)
    b = np.exp(0.5 * (high - low) * x + 0.5 * (high + low))
    x1 = 1.0 - b
    # With c = 1 - x2 from y to 1 - b - y: (x1^2 + (1 - c)^2) / (b c) dc, and db = b da.
    top = 1.0 - b - y
    inner = (x1**2 + 1.0) * np.log(top / y) - 2.0 * (top - y) + 0.5 * (top**2 - y**2)
    return float(0.5 * (high - low) * w @ inner), 1e-10


def four_lepton_form() -> Value:
    """Two-dimensional quadrature of H -> Z* Z* over the masses, angles in closed form."""

    def total(order: int) -> float:
        x, w = np.polynomial.legendre.leggauss(order)
        r, w = 0.5 * (x + 1.0), 0.5 * w
        m, width, higgs = constants.M_Z, constants.WIDTH_Z, constants.M_HIGGS
        # Around m_H - m_Z the other Z stops to be on its mass shell.
        edge = higgs - m
        edges = [0.0, 15.0, 25.0, edge - 4.0, edge, edge + 4.0, 45.0, 60.0, 80.0, m, 100.0, higgs]
        found = 0.0
        for low, high in pairwise(edges):
            for r1, w1 in zip(r, w, strict=True):
                s1, d1 = breit_wigner(r1, low**2, high**2, m, width)
                # The square root at the end of phase space is made smooth.
                e = 1.0 - (1.0 - r) ** 2
                s2, d2 = breit_wigner(e, 0.0, (higgs - math.sqrt(s1)) ** 2, m, width)
                d2 = 2.0 * (1.0 - r) * d2
                q = 0.5 * (higgs**2 - s1 - s2)
                phase = np.sqrt(np.maximum(q * q - s1 * s2, 0.0)) / (4.0 * math.pi * higgs**2)
                # Lepton tensor integrated: (g_L^2 + g_R^2) / (12 pi) (q q - g q^2).
                tensors = (couplings / (12.0 * math.pi)) ** 2 * (2.0 * s1 * s2 + q * q)
                poles = ((s1 - m * m) ** 2 + (m * width) ** 2) * (
                    (s2 - m * m) ** 2 + (m * width) ** 2
                )
                found += float(w1 * d1 * (w * d2 * phase * tensors / poles).sum())
        return found * strength * m * m / (2.0 * higgs) / (2.0 * math.pi) ** 2

    def breit_wigner(r: Any, low: float, high: float, m: float, width: float) -> Any:
        start, end = (math.atan((edge - m * m) / (m * width)) for edge in (low, high))
        tangent = np.tan(start + r * (end - start))
        return m * m + m * width * tangent, (end - start) * m * width * (1.0 + tangent**2)

    couplings = leptonic.G_LEFT**2 + leptonic.G_RIGHT**2
    sin2 = constants.SIN2_THETA
    strength = (4.0 * math.pi * constants.ALPHA_EM / (sin2 * (1.0 - sin2))) ** 3
    fine = total(120)
    return fine, abs(fine - total(60))


def no_two_bottoms(generator: Any) -> bool:
    """Whether not both incoming partons are b quarks."""
    return not all(abs(generator.process[k].id()) == 5 for k in (3, 4))


def ways(name: str, calls: int, repeats: int, events: int, runs: Runs) -> Iterator[Way]:
    """List the ways to integrate one integrand."""
    own = integrand(name)

    def points(function: Integrand, way: str, sampler: str = "vegas-plus") -> Way:
        def run(seed: int) -> Value:
            return drawn(function, sampler, calls, seed)

        return way, lambda: runs.mean(run, repeats, name, way, calls)

    def points_thinned(function: Integrand, cheap: Integrand, way: str) -> Way:
        def run(seed: int) -> Value:
            return thinned(function, cheap, calls, seed)

        return way, lambda: runs.mean(run, repeats, name, way, calls)

    electrons = ["Beams:idA = 11", "Beams:idB = -11", "PDF:lepton = off"]
    higgs = ["25:m0 = 125", "25:mWidth = 1e-6", "25:doForceWidth = on"]
    three_jets = [
        "HardQCD:gg2ggg = on",
        f"PhaseSpace:pTHat3Min = {hadronic_three.PT_HARDEST}",
        f"PhaseSpace:pTHat5Min = {hadronic_three.PT_SOFTEST}",
        f"PhaseSpace:RsepMin = {hadronic_three.R_MIN}",
    ]
    settings = {
        "ee-mumu": [
            *electrons,
            "Beams:eCM = 500",
            "WeakSingleBoson:ffbar2gmZ = on",
            "23:onMode = off",
            "23:onIfAny = 13",
            "23:doForceWidth = on",
        ],
        "gg-tt": ["Top:gg2ttbar = on"],
        "qq-tt": ["Top:qqbar2ttbar = on"],
        "gg-gg": ["HardQCD:gg2gg = on", "PhaseSpace:pTHatMin = 100"],
        "single-top": ["Top:qq2tq(t:W) = on"],
        "gg-ggg": three_jets,
    }
    if name == "ee-mumu":
        yield "closed form", muon_form
        yield "quadrature", lambda: quadrature(own, (16, 16), (2, 2))
    if name == "ee-qqg":
        yield "one integral left", three_jet_form
    if name.startswith("h-4l"):
        yield "quadrature over the masses", four_lepton_form
    if own.dim == 3:
        yield "quadrature", lambda: quadrature(own, (10, 10, 8), (40, 10, 10))
    yield points(own, "VEGAS+")
    if name in ("gg-ggg", "vbf-h"):
        kernel = hadronic_three.make_kernel(name, central=True)
        dim = 7 if name == "gg-ggg" else 6
        yield points(other_map(name, kernel, dim), "VEGAS+, other map")
    if own.description.startswith("gg ->"):
        kernel = multiparton.make_kernel(name, multiparton.RADIATION)
        other = other_map(name, kernel, own.dim)
        yield points(other, "VEGAS+, other map")
        yield points(own, "flow", "flow")
        yield points(other, "flow, other map", "flow")
        if name == "gg-gggg":
            cheap = integrand("gg-gggg-mhv")
            yield points_thinned(own, cheap, "thinned")
            kernel = multiparton.make_kernel("gg-gggg-mhv", multiparton.RADIATION)
            cheap = other_map("gg-gggg-mhv", kernel, cheap.dim)
            yield points_thinned(other, cheap, "thinned, other map")
    if name == "vbf-h":
        uncrossed = other_map(name, hadronic_three.make_kernel("vbf-h-uncrossed"), 6)
        yield points(uncrossed, "uncrossed formula, VEGAS+")
        yield (
            "uncrossed formula, Pythia",
            lambda: pythia(["HiggsSM:ff2Hff(t:WW) = on", *higgs], events),
        )
    if name in settings:
        keep = no_two_bottoms if name == "single-top" else None
        yield "Pythia", lambda: pythia(settings[name], events, keep)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=["all"], help="integrands, or all")
    parser.add_argument("--calls", type=float, default=1e6, help="of one run of a sampler")
    parser.add_argument("--repeats", type=int, default=8, help="runs of a sampler")
    parser.add_argument("--events", type=float, default=2e4, help="of Pythia")
    parser.add_argument("--ways", nargs="+", help="names of the ways to take, instead of all")
    parser.add_argument("--runs", type=Path, help="file that keeps the runs of samplers")
    arguments = parser.parse_args()
    names = list(REFERENCES) if arguments.names == ["all"] else arguments.names
    if arguments.runs and not arguments.runs.parent.is_dir():
        parser.error(f"--runs: there is no folder {arguments.runs.parent}")
    runs = Runs(arguments.runs)
    plan = {}
    for name in names:
        try:
            plan[name] = dict(
                ways(name, int(arguments.calls), arguments.repeats, int(arguments.events), runs)
            )
        except ValueError as error:
            parser.error(str(error))
    known = dict.fromkeys(way for one in plan.values() for way in one)
    for way in arguments.ways or []:
        if way not in known:
            parser.error(f"--ways: there is no {way!r} for these, but {', '.join(known)}")
    print("| integrand | way | value | error | relative | pull | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, own in plan.items():
        shipped = REFERENCES.get(name)
        for way, compute in own.items():
            if arguments.ways and way not in arguments.ways:
                continue
            start = time.perf_counter()
            value, error = compute()
            seconds = time.perf_counter() - start
            pull = "-"
            if shipped and "uncrossed" not in way:
                total = math.hypot(error, shipped.error, 1e-12 * value)
                pull = f"{(value - shipped.value) / total:+.1f}"
            print(
                f"| {name} | {way} | {value:.8g} | {error:.2g} | {error / value:.1e} | {pull} "
                f"| {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
