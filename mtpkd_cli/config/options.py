"""The base of every table of options."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """A table of options: strict types, no unknown keys, not changed after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
