"""Numbers on which data, tables and evolution must agree."""

from __future__ import annotations

Q0 = 1.65
"""Scale in GeV at which distributions are parametrised; above charm's threshold."""

ALPHA_S_MZ = 0.118
M_Z = 91.2
"""Mass in GeV at which the coupling is given."""

M_CHARM = 1.51
M_BOTTOM = 4.92
M_TOP = 172.5
"""Quark masses in GeV. Five flavours are active at all scales above bottom's threshold."""

M_PROTON = 0.938

Q2_CUT = 3.49
"""GeV2; data at or below are left out: power corrections would matter."""

W2_CUT = 12.5
"""GeV2; cut on Q2 (1 - x) / x for the same reason."""
