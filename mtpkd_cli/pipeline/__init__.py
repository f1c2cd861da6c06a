"""The order of stages: what there is to do, what of it is done or stale, and doing it."""

from mtpkd_cli.pipeline.choice import Choice
from mtpkd_cli.pipeline.doing import do_optional, do_stage
from mtpkd_cli.pipeline.states import State, States
from mtpkd_cli.pipeline.status import UnitStatus, label_facts, status_of
from mtpkd_cli.pipeline.unit import STAGES, Unit
from mtpkd_cli.pipeline.units import units_of

__all__ = [
    "STAGES",
    "Choice",
    "State",
    "States",
    "Unit",
    "UnitStatus",
    "do_optional",
    "do_stage",
    "label_facts",
    "status_of",
    "units_of",
]
