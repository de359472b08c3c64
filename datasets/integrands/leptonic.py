"""Integrands without protons: e+e- -> mu+mu-, e+e- -> q qbar g, H -> e+e- mu+mu-."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from .constants import ALPHA_EM, M_HIGGS, M_Z, PICOBARN, SIN2_THETA, WIDTH_Z
from .integrand import Integrand
from .phase_space import breit_wigner, decay, rambo, two_body_volume
from .references import REFERENCES

__all__ = ["build", "four_lepton_squared", "muon_couplings", "three_jet_squared"]

MUON_ENERGY = 500.0
"""Energy of e+e- -> mu+mu- in GeV."""

Y_MIN = 0.01
"""Smallest invariant mass squared of a pair of partons in e+e- -> q qbar g, over s."""

G_LEFT, G_RIGHT = SIN2_THETA - 0.5, SIN2_THETA
"""Couplings of charged leptons to the Z, T3 - Q sin^2 theta."""

device = numba.njit(cache=True, nogil=True, error_model="numpy")


def muon_couplings(energy: float) -> tuple[float, float]:
    """Coefficients of e+e- -> mu+mu- through photon and Z, the width of the Z running with s.

    Parameters
    ----------
    energy
        In GeV.

    Returns
    -------
    even, odd : float
        The differential cross section over cos theta, in pb, is
        even (1 + cos^2 theta) + odd cos theta.
    """
    s = energy * energy
    z = s / complex(s - M_Z * M_Z, s * WIDTH_Z / M_Z) / (SIN2_THETA * (1.0 - SIN2_THETA))
    same = sum(abs(1.0 + g * g * z) ** 2 for g in (G_LEFT, G_RIGHT))
    opposite = 2.0 * abs(1.0 + G_LEFT * G_RIGHT * z) ** 2
    # Helicities that agree go as (1 + cos theta)^2, others as (1 - cos theta)^2.
    norm = PICOBARN * math.pi * ALPHA_EM**2 / (8.0 * s)
    return norm * (same + opposite), 2.0 * norm * (same - opposite)


def _muons() -> Any:
    even, odd = muon_couplings(MUON_ENERGY)

    @device
    def kernel(points, values):  # type: ignore[no-untyped-def]
        for i in range(len(values)):
            cosine = 2.0 * points[0, i] - 1.0
            # Uniform in azimuth: unpolarised beams.
            values[i] = 2.0 * (even * (1.0 + cosine * cosine) + odd * cosine)

    return kernel


@device
def three_jet_squared(momenta):  # type: ignore[no-untyped-def]
    """E+e- -> q qbar g through a photon, divided by 8 pi C_F alpha_s sigma_0 and its flux.

    Its mean over the directions is (x1^2 + x2^2) / ((1 - x1) (1 - x2)) for energies x E / 2.

    Parameters
    ----------
    momenta : float64, shape (3, 4)
        Quark, antiquark, gluon; the beams along z.
    """
    energy = momenta[0, 0] + momenta[1, 0] + momenta[2, 0]
    s = energy * energy
    total = 0.0
    for k in range(2):
        for sign in (-1.0, 1.0):
            product = 0.5 * energy * (momenta[k, 0] + sign * momenta[k, 3])
            total += product * product
    s13 = s * (1.0 - 2.0 * momenta[1, 0] / energy)
    s23 = s * (1.0 - 2.0 * momenta[0, 0] / energy)
    return 6.0 * total / (s13 * s23)


@device
def three_jets(points, values):  # type: ignore[no-untyped-def]
    """Fill in e+e- -> q qbar g in units of sigma_0 alpha_s C_F / (2 pi), at energy 1."""
    momenta = np.empty((3, 4))
    masses = np.zeros(3)
    # The measure dx1 dx2 has volume 1/2.
    volume = 1.0 / (256.0 * math.pi**3)
    for i in range(len(values)):
        weight = rambo(points, 0, i, masses, 1.0, momenta)
        values[i] = 0.0
        most = 0.5 * (1.0 - Y_MIN)
        if momenta[0, 0] < most and momenta[1, 0] < most and momenta[2, 0] < most:
            values[i] = 0.5 * weight / volume * three_jet_squared(momenta)


@device
def _dot(p, q):  # type: ignore[no-untyped-def]
    return p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3]


@device
def four_lepton_squared(momenta):  # type: ignore[no-untyped-def]
    """Sum over helicities of |M|^2 of H -> Z* Z* -> e- e+ mu- mu+, in GeV^-2.

    Parameters
    ----------
    momenta : float64, shape (4, 4)
        e-, e+, mu-, mu+, massless.
    """
    first = 2.0 * _dot(momenta[0], momenta[1])
    second = 2.0 * _dot(momenta[2], momenta[3])
    like = _dot(momenta[0], momenta[2]) * _dot(momenta[1], momenta[3])
    unlike = _dot(momenta[0], momenta[3]) * _dot(momenta[1], momenta[2])
    left, right = G_LEFT * G_LEFT, G_RIGHT * G_RIGHT
    sum_ = (left * left + right * right) * like + 2.0 * left * right * unlike
    width = M_Z * WIDTH_Z
    poles = ((first - M_Z**2) ** 2 + width**2) * ((second - M_Z**2) ** 2 + width**2)
    # (g M_Z / cos)^2 (g / cos)^4, g / cos = e / (sin cos)
    coupling = 4.0 * math.pi * ALPHA_EM / (SIN2_THETA * (1.0 - SIN2_THETA))
    return 16.0 * coupling**3 * M_Z**2 * sum_ / poles


@device
def four_leptons(points, values):  # type: ignore[no-untyped-def]
    """Fill in the width of H -> e+e-mu+mu- in GeV, flat in phase space."""
    momenta = np.empty((4, 4))
    masses = np.zeros(4)
    for i in range(len(values)):
        weight = rambo(points, 0, i, masses, M_HIGGS, momenta)
        values[i] = weight * four_lepton_squared(momenta) / (2.0 * M_HIGGS)


@device
def four_leptons_mapped(points, values):  # type: ignore[no-untyped-def]
    """Fill in the width of H -> e+e-mu+mu- in GeV, masses sampled as resonances.

    Only one Z can be on its mass shell: the heavier pair is sampled first. Which one it is depends
    on the half of the first axis.
    """
    momenta = np.empty((4, 4))
    heavy, light = np.empty(4), np.empty(4)
    higgs = np.zeros(4)
    higgs[0] = M_HIGGS
    # At the edge no mass may be zero.
    least = 1e-12 * M_HIGGS**2
    for i in range(len(values)):
        half = 0 if points[0, i] < 0.5 else 1
        r = 2.0 * points[0, i] - half
        square, weight = breit_wigner(r, 4.0 * least, M_HIGGS**2, M_Z, WIDTH_Z)
        one = math.sqrt(square)
        most = max(min((M_HIGGS - one) ** 2, square), 2.0 * least)
        square, density = breit_wigner(points[1, i], least, most, M_Z, WIDTH_Z)
        two = math.sqrt(square)
        weight *= 2.0 * density / (4.0 * math.pi * math.pi)
        weight *= two_body_volume(M_HIGGS, one, two)
        weight *= two_body_volume(one, 0.0, 0.0) * two_body_volume(two, 0.0, 0.0)
        cosine, azimuth = 2.0 * points[2, i] - 1.0, 2.0 * math.pi * points[3, i]
        decay(higgs, M_HIGGS, one, two, cosine, azimuth, heavy, light)
        row = 2 * half
        cosine, azimuth = 2.0 * points[4, i] - 1.0, 2.0 * math.pi * points[5, i]
        decay(heavy, one, 0.0, 0.0, cosine, azimuth, momenta[row], momenta[row + 1])
        cosine, azimuth = 2.0 * points[6, i] - 1.0, 2.0 * math.pi * points[7, i]
        decay(light, two, 0.0, 0.0, cosine, azimuth, momenta[2 - row], momenta[3 - row])
        values[i] = weight * four_lepton_squared(momenta) / (2.0 * M_HIGGS)


def build(name: str) -> Integrand:
    """Make an integrand of this module.

    Parameters
    ----------
    name
        ee-mumu, ee-qqg, h-4l or h-4l-mapped.

    Returns
    -------
    Integrand
    """
    kernels = {"ee-qqg": three_jets, "h-4l": four_leptons, "h-4l-mapped": four_leptons_mapped}
    dim, cost, description, source = {
        "ee-mumu": (2, 0.002, "e+e- -> mu+mu- at 500 GeV, pb", "textbook"),
        "ee-qqg": (
            5,
            0.3,
            "e+e- -> q qbar g, y > 0.01, in units of sigma_0 alpha_s C_F / (2 pi)",
            "Nucl. Phys. B178 (1981) 421",
        ),
        "h-4l": (8, 0.5, "H -> e+e-mu+mu-, flat in phase space, GeV", "arXiv:1308.2922"),
        "h-4l-mapped": (8, 0.5, "H -> e+e-mu+mu-, masses as resonances, GeV", "textbook"),
    }[name]
    return Integrand(
        name,
        dim,
        REFERENCES.get(name),
        cost,
        description,
        source,
        kernel=_muons() if name == "ee-mumu" else kernels[name],
        tensorflow=_muons_tensorflow if name == "ee-mumu" else None,
    )


def _muons_tensorflow(points: Any) -> Any:
    """Evaluate ee-mumu in TensorFlow."""
    even, odd = muon_couplings(MUON_ENERGY)
    cosine = 2.0 * points[:, 0] - 1.0
    return 2.0 * (even * (1.0 + cosine * cosine) + odd * cosine)
