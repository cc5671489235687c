"""Coronary outlets in time: arterial and intramyocardial compliance behind each outlet of a 3-D flow, advanced with it. SI.

outlet -- Ra -- Pa -- Rm -- Pc -- Rv -- venous        Ca dPa/dt = Q - (Pa - Pc) / Rm
                |           |                         Cm d(Pc - Pim)/dt = (Pa - Pc) / Rm - (Pc - Pv) / Rv
                Ca          Cm
                |           |                         Kim et al., Ann Biomed Eng 2010;38:3195
              ground   muscle's pressure Pim
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STARTING_CYCLES, STARTING_STEPS = 10, 200


@dataclass(frozen=True, eq=False)
class CoronaryOutlets:
    """resistance_pa_s_m3: (3, O) Ra, Rm, Rv. compliance_m3_pa: (2, O) Ca, Cm, which may be 0. muscle_pa: (O,) at a time s. venous_pa."""

    resistance_pa_s_m3: np.ndarray
    compliance_m3_pa: np.ndarray
    muscle_pa: Callable[[float], np.ndarray]
    venous_pa: float

    def behind(self, time_s: float, rate: float, past: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """((O,) p0, (O,) r): the outlets' pressures are p0 + r Q at a time, by d/dt x = rate x - past. past: (2, O) of Pa and Pc - Pim."""
        small, _, _ = self.resistance_pa_s_m3
        at_rest, slope = self._states(time_s, rate, past)
        return at_rest[0], small + slope[0]

    def states(self, time_s: float, rate: float, past: np.ndarray, flow_m3_s: np.ndarray) -> np.ndarray:
        """(2, O) Pa and Pc - Pim with the outlets' flows."""
        at_rest, slope = self._states(time_s, rate, past)
        found = at_rest + slope * flow_m3_s
        return np.stack([found[0], found[1] - self.muscle_pa(time_s)])

    def _states(self, time_s, rate, past):
        """Pa and Pc as a + b Q: ((2, O), (2, O))."""
        (_, micro, venous), (arterial, muscle) = 1 / self.resistance_pa_s_m3, self.compliance_m3_pa
        a, d = arterial * rate + micro, muscle * rate + micro + venous
        first = arterial * past[0]
        second = muscle * (past[1] + rate * self.muscle_pa(time_s)) + venous * self.venous_pa
        det = a * d - micro**2
        return np.stack([d * first + micro * second, micro * first + a * second]) / det, np.stack([d, micro]) / det

    def started(self, pressure_pa: Callable[[float], float], period_s: float) -> np.ndarray:
        """(2, O) states at the beginning of a cycle after some cycles under a pressure at the outlets themselves, by implicit Euler steps."""
        step, state = period_s / STARTING_STEPS, np.full((2, self.resistance_pa_s_m3.shape[1]), 0.5 * (pressure_pa(0.0) + self.venous_pa))
        for k in range(1, STARTING_CYCLES * STARTING_STEPS + 1):
            time = (k * step) % period_s
            level, slope = self.behind(time, 1 / step, state / step)
            state = self.states(time, 1 / step, state / step, (pressure_pa(time) - level) / slope)
        return state
