"""The order of stages: what there is to do, what of it is done or stale, and doing it."""

from mtpkd_cli.pipeline.choice import Choice
from mtpkd_cli.pipeline.doing import do_stage
from mtpkd_cli.pipeline.states import State, States
from mtpkd_cli.pipeline.units import STAGES, Unit, units_of

__all__ = ["STAGES", "Choice", "State", "States", "Unit", "do_stage", "units_of"]
