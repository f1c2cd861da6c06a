"""Submitting batch scripts, once: what is still in the queue is not submitted again."""

import json
import re
import subprocess
from typing import Any

from mtpkd_cli.artifacts import RunFolder, write_json
from mtpkd_cli.cluster.plan import BatchJob
from mtpkd_cli.errors import Busy, MtpkdError

SUBMITTED = "submitted.json"


def submit_jobs(run: RunFolder, jobs: list[BatchJob], options: list[str] | None = None) -> dict[str, str]:
    """Runs RUN/slurm/submit.sh and remembers the jobs' numbers.

    Args:
        run: The run folder.
        jobs: The plan that submit.sh was written from.
        options: Further options of sbatch for all jobs.

    Returns:
        Name of a job -> its number.

    Raises:
        Busy: Jobs that were submitted before are still in the queue.
        MtpkdError: sbatch refuses, or there is none.
    """
    waiting = queued(run)
    if waiting:
        raise Busy(
            f"{len(waiting)} jobs of this run are in the queue already: {', '.join(waiting)}",
            where=run.slurm / SUBMITTED,
            todo=f"let them end, or scancel {' '.join(waiting)}",
        )
    command = ["bash", str(run.slurm / "submit.sh"), *(options or [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    numbers = dict(re.findall(r"^(\S+) (\d+)$", done.stdout, flags=re.MULTILINE))
    write_json(run.slurm / SUBMITTED, {"jobs": numbers})
    if done.returncode:
        missing = next((job.name for job in jobs if job.name not in numbers), "a job")
        begun = f"; already submitted: {', '.join(numbers.values())}" if numbers else ""
        raise MtpkdError(
            f"{missing} could not be submitted: {done.stderr.strip()}{begun}",
            where=run.slurm / "submit.sh",
            expected="a machine from which sbatch submits",
            todo=f"scancel {' '.join(numbers.values())}, then mend the options" if numbers else "mend the options",
        )
    return numbers


def queued(run: RunFolder) -> list[str]:
    """Numbers of jobs that were submitted from this run folder and still wait or run."""
    try:
        content: Any = json.loads((run.slurm / SUBMITTED).read_text(encoding="utf-8"))
        numbers = [str(int(number)) for number in content["jobs"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    if not numbers:
        return []
    command = ["squeue", "--noheader", "--format=%F", f"--jobs={','.join(numbers)}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return []
    # %F: all tasks of an array by the number that sbatch gave.
    return sorted(set(numbers) & set(done.stdout.split()), key=int)
