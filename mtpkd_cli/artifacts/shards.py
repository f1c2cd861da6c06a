"""Shards: n independent processes, perhaps on n machines, that each write their own part files of one folder."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mtpkd_cli.errors import StudyError

FROM_SLURM = "slurm"
_ARRAY = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True)
class Shard:
    """One of `total` processes; `number` counts from 1."""

    number: int
    total: int

    def __str__(self) -> str:
        return f"shard {self.share}"

    @property
    def share(self) -> str:
        """Which share it is, "i/n"."""
        return f"{self.number}/{self.total}"

    def takes(self, part: int) -> bool:
        """Whether part number `part`, from 0, is this one's to write: every n-th, so that all take about as long."""
        return part % self.total == self.number - 1


def parse_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """Reads "i/n", or the variables of a Slurm job array where the text is "slurm".

    Args:
        environment: Where SLURM_ARRAY_TASK_ID, _MIN, _STEP and _COUNT are looked up; an array may begin at any number.

    Raises:
        StudyError: The text is neither, i is not from 1 to n, or this is no task of an array without gaps.
    """
    if text == FROM_SLURM:
        return _from_slurm(environment)
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise StudyError(
            f"'{text}' is no shard",
            where="--shard",
            expected=f"i/n with i from 1 to n, or {FROM_SLURM}",
            todo="e.g. 1/4",
        )
    return Shard(int(match[1]), int(match[2]))


def _from_slurm(environment: Mapping[str, str]) -> Shard:
    try:
        task, first, count = (int(environment[_ARRAY + name]) for name in ("ID", "MIN", "COUNT"))
        step = int(environment.get(_ARRAY + "STEP", "1"))
    except (KeyError, ValueError) as err:
        raise StudyError(
            f"this is no task of a Slurm array: {err} is not a number there",
            where=f"--shard {FROM_SLURM}",
            expected=f"{_ARRAY}ID, {_ARRAY}MIN and {_ARRAY}COUNT, as sbatch --array sets them",
            todo="start it by sbatch --array=1-N, or give --shard i/n",
        ) from err
    index, rest = divmod(task - first, max(step, 1))
    if rest or not 0 <= index < count:
        raise StudyError(
            f"task {task} of {count} tasks from {first} on is none of an array without gaps",
            where=f"--shard {FROM_SLURM}",
            expected="an array such as --array=1-N",
            todo="run what is left by mtpkd extract RUN, or give --shard i/n",
        )
    return Shard(index + 1, count)
