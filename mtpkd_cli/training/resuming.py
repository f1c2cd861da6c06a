"""Going on where a unit's fits were interrupted: what is finished is taken, what had begun is restored.

A unit makes several fits one after the other (a teacher and its cross-fitted ones, the tries of a student), each under
a name. The one file on disk holds the results of those that are finished and the state of the one that had begun; it is
written now and then, and when the program is asked to stop.
"""

import time
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mtpkd_cli import interruption
from mtpkd_cli.artifacts.last_checkpoint import LastCheckpoint
from mtpkd_cli.errors import StorageError
from mtpkd_cli.training.fitting import Fitting, State

EVERY_S = 60.0
# A large model on a slow disk: writing takes a twentieth of the time at most.
_SHARE_OF_TIME = 20.0


class Resuming:
    """The checkpoints of one unit's fits.

    Args:
        last: Where they are kept; None = nowhere, and an interrupt begins the unit anew.
        every_s: Seconds between two writings.
    """

    def __init__(self, last: LastCheckpoint | None = None, every_s: float | None = None) -> None:
        self.last = last
        self.every_s = EVERY_S if every_s is None else every_s
        self.finished: dict[str, State] = {}
        self.begun: tuple[str, State] | None = None
        self._written = time.monotonic()
        if last is not None and (held := last.read()) is not None:
            self._take(last, *held)

    def fit(self, name: str) -> "FitCheckpoint":
        """The handle for one fit; `name` is unique within the unit."""
        return FitCheckpoint(self, name)

    def write_if_due(self, name: str, fitting: Fitting) -> None:
        """Writes when it is time.

        Raises:
            Interrupted: The program was asked to stop; what there is was written.
            StorageError: It was, and nothing could be written. Where it was not, that is noted and the fit goes on.
        """
        asked = interruption.asked()
        if self.last is not None and (asked or time.monotonic() - self._written >= self.every_s):
            begun = time.monotonic()
            try:
                self.last.write(*self._state(name, fitting))
            except StorageError as err:
                if asked:
                    raise
                self.last.tell(f"no checkpoint could be written, the fit goes on: {err.what}; {err.expected}")
            self._written = time.monotonic()
            self.every_s = max(self.every_s, _SHARE_OF_TIME * (self._written - begun))
        if asked:  # asked only since: the next step writes first
            interruption.check()

    def _state(self, name: str, fitting: Fitting) -> State:
        tensors, numbers = fitting.state()
        parts = {"begun": tensors} | {f"finished.{i}": state[0] for i, state in enumerate(self.finished.values())}
        finished = [[fit, state[1]] for fit, state in self.finished.items()]
        flat = {f"{part}/{key}": tensor for part, held in parts.items() for key, tensor in held.items()}
        return flat, {"begun": [name, numbers], "finished": finished}

    def _take(self, last: LastCheckpoint, tensors: Mapping[str, Tensor], about: dict[str, Any]) -> None:
        parts: dict[str, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = tensor
        name, numbers = about["begun"]
        self.begun = (name, (parts["begun"], numbers))
        for i, (fit, outcome) in enumerate(about["finished"]):
            self.finished[fit] = (parts[f"finished.{i}"], outcome)
        done = f", {len(self.finished)} fits before it are done" if self.finished else ""
        last.tell(f"goes on in epoch {numbers['epoch']} after batch {numbers['batch']} of {name}{done}")


class FitCheckpoint:
    """The handle of one fit, as `Resuming.fit` gives it."""

    def __init__(self, unit: Resuming, name: str) -> None:
        self.unit, self.name = unit, name

    def begin(self, fitting: Fitting) -> bool:
        """Brings a fit to where it was, if it had begun; returns whether it is finished already."""
        if self.name in self.unit.finished:
            fitting.take_outcome(self.unit.finished[self.name])
            return True
        if self.unit.begun is not None and self.unit.begun[0] == self.name:
            fitting.restore(self.unit.begun[1])
        self.unit.begun = None
        return False

    def step(self, fitting: Fitting) -> None:
        """A safe point within a fit; raises Interrupted where the program was asked to stop."""
        self.unit.write_if_due(self.name, fitting)

    def finish(self, fitting: Fitting) -> None:
        """The fit is done: its result need not be made again if the unit is interrupted later."""
        if self.unit.last is not None:
            self.unit.finished[self.name] = fitting.outcome()


NOT_KEPT = Resuming().fit("")
"""For fits that are begun anew when interrupted."""
