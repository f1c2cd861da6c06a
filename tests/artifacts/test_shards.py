"""Shards: every part belongs to exactly one, and the variables of a job array name the same ones."""

import pytest

from mtpkd_cli.artifacts.shards import Shard, parse_shard
from mtpkd_cli.errors import StudyError


def _array(task: int, first: int, count: int, step: int = 1) -> dict[str, str]:
    values = {"ID": task, "MIN": first, "COUNT": count, "STEP": step, "MAX": first + step * (count - 1)}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


@pytest.mark.parametrize("total", [1, 3, 7])
def test_every_part_belongs_to_one_shard(total: int) -> None:
    shards = [parse_shard(f"{number}/{total}", {}) for number in range(1, total + 1)]
    takers = [[str(shard) for shard in shards if shard.takes(part)] for part in range(11)]
    assert all(len(taker) == 1 for taker in takers)
    sizes = [sum(shard.takes(part) for part in range(11)) for shard in shards]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("first", "step"), [(0, 1), (1, 1), (5, 1), (1, 2)])
def test_the_tasks_of_an_array_are_all_shards(first: int, step: int) -> None:
    tasks = [parse_shard("slurm", _array(first + step * i, first, 4, step)) for i in range(4)]
    assert tasks == [Shard(i + 1, 4) for i in range(4)]


def test_one_task_that_is_started_again_by_itself_takes_all_that_is_left() -> None:
    assert parse_shard("slurm", _array(3, 3, 1)) == Shard(1, 1)


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/0", "a/b", "-1/2", "1/2/3", "", "1 /2"])
def test_what_is_no_shard_is_told(text: str) -> None:
    with pytest.raises(StudyError, match="is no shard"):
        parse_shard(text, {})


@pytest.mark.parametrize("environment", [{}, {"SLURM_ARRAY_TASK_ID": "1"}, _array(7, 1, 3), _array(2, 1, 3, 2)])
def test_an_array_with_gaps_or_none_at_all_is_told(environment: dict[str, str]) -> None:
    with pytest.raises(StudyError, match="array"):
        parse_shard("slurm", environment)
