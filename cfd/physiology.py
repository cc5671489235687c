"""The patient's numbers at rest and in hyperaemia: pressure, flow, resistance, blood. Each default that stands in for a measurement is said in words."""

from dataclasses import dataclass

from ccta.errors import BadSettings
from ccta.model import Unavailable
from ccta.settings import FlowSettings
from ccta.units import ml_min_to_m3_s, mmhg_to_pa
from cfd import blood

DEFAULT_CUFF_MMHG = (120.0, 80.0)
LV_MASS_INDEX_G_M2 = {"M": 64.0, "F": 52.0}  # [check] mean by cine MR, papillary muscles excluded: Kawel-Boehm et al., JCMR 2020;22:87
BODY_SURFACE_M2 = {"M": 1.97, "F": 1.73}  # adults by DuBois, when neither height nor weight is known


@dataclass(frozen=True)
class Physiology:
    """All that the flow model needs besides geometry. SI; total_resistance_pa_s_m3: of all outlets together in hyperaemia."""

    aortic_pressure_pa: float
    distal_pressure_pa: float
    rest_flow_m3_s: float
    total_resistance_pa_s_m3: float
    viscosity_pa_s: float
    density_kg_m3: float = blood.DENSITY_KG_M3
    assumptions: tuple[str, ...] = ()


def mean_arterial_pressure_mmhg(systolic_mmhg: float, diastolic_mmhg: float) -> float:
    """MAP = SBP / 3 + 2 DBP / 3, mmHg."""
    return systolic_mmhg / 3 + 2 * diastolic_mmhg / 3


def rest_flow_ml_min(lv_mass_g: float, settings: FlowSettings) -> float:
    """Total coronary flow at rest, mL/min: 5.09 M^0.75 [check] (Choy and Kassab, J Appl Physiol 2008;104:1281) or a perfusion times the mass."""
    if settings.rest_flow_law == "allometric":
        return 5.09 * lv_mass_g**0.75
    if settings.rest_flow_law == "per_gram":
        return settings.rest_flow_ml_min_g * lv_mass_g
    raise BadSettings(f'FlowSettings.rest_flow_law is "allometric" or "per_gram", got {settings.rest_flow_law!r}')


def expected_lv_mass_g(sex: str, height_cm: float, weight_kg: float) -> tuple[float, str]:
    """(mass, where it comes from): sex-specific index times body surface (DuBois 1916: 0.007184 h^0.725 w^0.425); 0 means unknown."""
    index = LV_MASS_INDEX_G_M2.get(sex, sum(LV_MASS_INDEX_G_M2.values()) / 2)
    who = {"M": "a man", "F": "a woman"}.get(sex, "a person of unknown sex")
    if height_cm > 0 and weight_kg > 0:
        mass = index * 0.007184 * height_cm**0.725 * weight_kg**0.425
        return mass, f"{mass:.0f} g expected for {who} of {height_cm:.0f} cm and {weight_kg:.0f} kg"
    mass = index * BODY_SURFACE_M2.get(sex, sum(BODY_SURFACE_M2.values()) / 2)
    return mass, f"{mass:.0f} g expected for {who} of average size"


def hyperaemic_physiology(lv_mass_g: float | Unavailable, sex: str, settings: FlowSettings) -> Physiology:
    """Boundary data under adenosine.

    At rest R = (Pa - Pv) / Q_rest. Hyperaemia scales the total resistance, all of it, by 0.24 (Wilson et al., Circulation 1990;82:1595; Taylor et al.,
    JACC 2013;61:2233). lv_mass_g: from the image; a mass in the settings overrides it, body size stands in for it.
    """
    said: list[str] = []
    pressure_mmhg = _aortic_pressure_mmhg(settings, said)
    mass_g = _lv_mass_g(lv_mass_g, sex, settings, said)
    viscosity = _viscosity_pa_s(settings, said)
    if not 0 < settings.hyperaemia_factor <= 1:
        raise BadSettings(f"FlowSettings.hyperaemia_factor is the hyperaemic over the resting resistance, in (0, 1], got {settings.hyperaemia_factor}")
    if not 0 <= settings.distal_pressure_mmhg < pressure_mmhg:
        raise BadSettings(f"FlowSettings.distal_pressure_mmhg must lie between 0 and the aortic {pressure_mmhg:.0f} mmHg, got {settings.distal_pressure_mmhg}")
    flow = rest_flow_ml_min(mass_g, settings)
    said.append(f"Resting flow was not measured: {flow:.0f} mL/min from the myocardial mass of {mass_g:.0f} g ({settings.rest_flow_law} law).")
    said.append(f"Hyperaemia was not measured: total coronary resistance taken as {settings.hyperaemia_factor:g} of its resting value.")
    said.append(f"Distal (venous) pressure taken as {settings.distal_pressure_mmhg:g} mmHg.")
    rest_resistance = mmhg_to_pa(pressure_mmhg - settings.distal_pressure_mmhg) / ml_min_to_m3_s(flow)
    return Physiology(
        aortic_pressure_pa=mmhg_to_pa(pressure_mmhg),
        distal_pressure_pa=mmhg_to_pa(settings.distal_pressure_mmhg),
        rest_flow_m3_s=ml_min_to_m3_s(flow),
        total_resistance_pa_s_m3=settings.hyperaemia_factor * rest_resistance,
        viscosity_pa_s=viscosity,
        assumptions=tuple(said),
    )


def _aortic_pressure_mmhg(settings, said):
    systolic, diastolic = settings.systolic_mmhg, settings.diastolic_mmhg
    if systolic == 0 and diastolic == 0:
        systolic, diastolic = DEFAULT_CUFF_MMHG
        said.append(f"Blood pressure was not given: {systolic:.0f}/{diastolic:.0f} mmHg assumed (mean {mean_arterial_pressure_mmhg(systolic, diastolic):.1f}).")
    if not (30 <= diastolic < systolic <= 300):
        raise BadSettings(f"a blood pressure of {systolic:g}/{diastolic:g} mmHg is not possible; give both cuff values, or neither")
    return mean_arterial_pressure_mmhg(systolic, diastolic)


def _lv_mass_g(measured, sex, settings, said):
    if settings.lv_mass_g > 0:
        said.append(f"Myocardial mass of {settings.lv_mass_g:.0f} g taken from the settings.")
        return settings.lv_mass_g
    if not isinstance(measured, Unavailable):
        return float(measured)
    mass, source = expected_lv_mass_g(sex, settings.height_cm, settings.weight_kg)
    said.append(f"Myocardial mass was not measured ({measured.reason}): {source}.")
    return mass


def _viscosity_pa_s(settings, said):
    if settings.haematocrit == 0:
        said.append(f"Haematocrit was not given: blood viscosity {1e3 * blood.VISCOSITY_PA_S:g} mPa s, Newtonian.")
        return blood.VISCOSITY_PA_S
    if not 0.1 <= settings.haematocrit <= 0.65:
        raise BadSettings(f"FlowSettings.haematocrit is a fraction between 0.1 and 0.65 (0: unknown), got {settings.haematocrit}")
    return blood.newtonian_viscosity_pa_s(settings.haematocrit)
