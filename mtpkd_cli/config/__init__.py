"""study.toml as typed, strict models: one section per stage, with bounds, units and help."""

from mtpkd_cli.config.options import Options
from mtpkd_cli.config.reading import parse_options, read_study, set_keys
from mtpkd_cli.config.study import Study

__all__ = ["Options", "Study", "parse_options", "read_study", "set_keys"]
