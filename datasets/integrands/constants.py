"""Constants of the physics integrands. Electroweak ones are the defaults of Pythia 8.3."""

from __future__ import annotations

import math

ALPHA_S = 0.118
"""Strong coupling, fixed."""

SCALE = 173.0
"""Factorisation scale in GeV, fixed."""

M_TOP = 173.0
"""Mass of the top quark in GeV; its width is zero."""

ENERGY = 13_000.0
"""Of the proton beams together, in GeV."""

PDF = "NNPDF31_lo_as_0118"
"""Parton distributions, as they come with Pythia; clamped at zero."""

PICOBARN = 0.389380e9
"""One GeV^-2 in picobarn, with the digits that Pythia has."""

ALPHA_EM = 0.00781751
"""Electromagnetic coupling at the Z mass; fixed unless an integrand says otherwise."""

SIN2_THETA = 0.2312
"""Squared sine of the weak mixing angle in couplings of W and in masses."""

SIN2_THETA_BAR = 0.2315
"""The effective one, in vector couplings of fermions to the Z."""

M_Z, WIDTH_Z = 91.188, 2.4955
M_W = 80.385
M_HIGGS = 125.0

G_SQUARED = 4.0 * math.pi * ALPHA_S
"""Square of the strong coupling g."""
