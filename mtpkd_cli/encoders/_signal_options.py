"""What the encoders of physiological signals share: where the signal stands in its table, and the length of a step."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from mtpkd_cli.config import Options
from mtpkd_cli.config.options import Positive
from mtpkd_cli.encoders import Segment
from mtpkd_cli.media.signals import ANY_RATES_HZ, Signal, named_signal, with_rows

RateBounds = Annotated[list[Positive], Field(min_length=2, max_length=2)]

# The clip's first second is what later values are compared with: a stimulus acts later than that on the skin and heart.
BASELINE_S = 1.0


def rates_between(low_hz: float, high_hz: float) -> Any:
    """The option rates_hz with the rates of a kind of sensor as its default."""
    return Field(
        [low_hz, high_hz],
        description="Rates at which such a sensor records, least and highest: times that mean another are refused.",
    )


class SignalSource(Options):
    """Where a signal stands in its table."""

    column: str = Field(min_length=1, description="Name of the signal's column.")
    sample_rate_hz: float | None = Field(None, gt=0, description="Rate; not needed where there is a time column.")
    time_column: str = Field(
        "time", description='Name of the column of times; "" = none, sample_rate_hz is needed then.'
    )
    time_unit_s: float | None = Field(
        None, gt=0, description="Seconds per unit of the time column; none = inferred from the rate that it means."
    )
    rates_hz: RateBounds = rates_between(*ANY_RATES_HZ)
    rows: int | None = Field(
        None, ge=1, description="Rows of every whole clip; a few more or less are trimmed or padded, and counted."
    )
    rows_off: int = Field(2, ge=0, description="By how many rows a clip may differ from rows.")

    @model_validator(mode="after")
    def _rates(self) -> Self:
        if self.rates_hz[0] >= self.rates_hz[1]:
            raise ValueError(f"rates_hz = {self.rates_hz} does not rise")
        return self


class SignalOptions(SignalSource):
    """Options common to signals that are described in steps."""

    step_s: float = Field(0.5, gt=0, description="Length of a step of the features in seconds.")


def load_signal(segment: Segment, config: SignalSource) -> Signal:
    """Reads a segment's signal.

    Raises:
        DataError: See `read_signal`, and `with_rows` where the options state the rows of a clip.
    """
    signal = named_signal(segment.path, config.model_dump(), segment.start_s, segment.end_s)
    if config.rows is None or segment.start_s is not None or segment.end_s is not None:
        return signal
    return with_rows(signal, config.rows, config.rows_off, f"{segment.path}, column '{config.column}'")


def baseline_length(n: int, rate_hz: float) -> int:
    """Number of values in the clip's first second, 1 <= length <= n."""
    return min(n, max(1, round(BASELINE_S * rate_hz)))
