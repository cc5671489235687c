"""Conversions between shown, stored and computed units. Each conversion has one door (STYLE, habit 1)."""

PA_PER_MMHG = 133.322387415  # conventional millimetre of mercury (NIST SP 811)


def mm_to_m(value):
    """Millimetres -> metres (scalar or array)."""
    return value * 1e-3


def m_to_mm(value):
    """Metres -> millimetres (scalar or array)."""
    return value * 1e3


def mm2_to_m2(value):
    """Square millimetres -> square metres (scalar or array)."""
    return value * 1e-6


def mmhg_to_pa(value):
    """Millimetres of mercury -> pascal (scalar or array)."""
    return value * PA_PER_MMHG


def pa_to_mmhg(value):
    """Pascal -> millimetres of mercury (scalar or array)."""
    return value / PA_PER_MMHG


def ml_min_to_m3_s(value):
    """Millilitres per minute -> cubic metres per second (scalar or array)."""
    return value * 1e-6 / 60.0


def m3_s_to_ml_min(value):
    """Cubic metres per second -> millilitres per minute (scalar or array)."""
    return value * 60.0e6
