"""Constants of the physics integrands. Masses, widths and the CKM matrix are Pythia 8.317's."""

from __future__ import annotations

import math

ALPHA_S = 0.118
"""Strong coupling, fixed."""

SCALE = 173.0
"""Factorisation scale in GeV, fixed."""

M_TOP = 173.0
"""Mass of the top quark in GeV; its width is zero."""

BEAM_ENERGY = 13_000.0
"""Of the two protons together, in GeV."""

PDF = "NNPDF31_lo_as_0118"
"""Parton distributions, as they come with Pythia, interpolated as Pythia does, clamped at zero."""

PICOBARN = 0.3893793721e9
"""One GeV^-2 in picobarn (CODATA 2018)."""

ALPHA_EM = 1.0 / 128.0
"""Electromagnetic coupling, fixed."""

SIN2_THETA = 0.2312
"""Squared sine of the weak mixing angle."""

M_Z, WIDTH_Z = 91.1876, 2.4952
M_W = 80.385
M_HIGGS = 125.0

CKM = (
    (0.97383, 0.2272, 0.00396),
    (0.2271, 0.97296, 0.04221),
    (0.00814, 0.04161, 0.9991),
)
"""Absolute values; rows u, c, t, columns d, s, b."""

G_SQUARED = 4.0 * math.pi * ALPHA_S
"""Square of the strong coupling g."""
