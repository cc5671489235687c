"""Which stages of a case are one task, and what a task asks of its worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ccta.errors import BadInput

GIB = 2**30


@dataclass(frozen=True)
class Step:
    """Stages that run in one child process. memory_gib, threads: what the task asks for; a worker that announces less never gets it."""

    name: str
    stages: tuple[str, ...]
    memory_gib: float
    threads: int = 1

    @property
    def resources(self) -> dict[str, float]:
        """As Dask compares them with what workers announce."""
        return {"memory": self.memory_gib * GIB, "threads": float(self.threads)}


STEPS = (
    Step("image", ("read", "read_calcium", "segment"), 4.0),  # two networks on a chest of 512 x 512 x 300
    Step("anatomy", ("centerlines", "tree", "contours", "measure", "calcium"), 3.0),
    Step("flow", ("flow",), 2.0),  # the reduced model
    Step("report", ("verdict", "report"), 2.0),
)
THREE_D_GIB = 5.0
"""Of the flow step with a 3-D model: 110,000 tetrahedra of degree 2."""


def steps_for(stages: Sequence[str], flow_model: str) -> tuple[Step, ...]:
    """The tasks of a case that runs these stages. BadInput for an unknown stage."""
    known = [stage for step in STEPS for stage in step.stages]
    unknown = [stage for stage in stages if stage not in known]
    if unknown:
        raise BadInput(f"there is no stage {', '.join(unknown)}; the stages are {', '.join(known)}")
    chosen = (replace(step, stages=tuple(stage for stage in step.stages if stage in stages)) for step in STEPS)
    sized = (replace(step, memory_gib=THREE_D_GIB) if step.name == "flow" and flow_model.startswith("3d") else step for step in chosen)
    return tuple(step for step in sized if step.stages)
