"""Batch jobs as files that people can read, edit and submit: one .sbatch per job, and submit.sh that chains them.

The scripts name no folder: they run where they are submitted, in the run folder, which may be moved with them.
"""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from mtpkd_cli.artifacts import write_text
from mtpkd_cli.cluster.plan import ON_GPU, BatchJob
from mtpkd_cli.errors import Interrupted

OUTPUT = "slurm/out"


@dataclass(frozen=True)
class SlurmRequest:
    """What is asked of Slurm; None = as the cluster has it.

    Args:
        time: Limit of one task, as sbatch takes it.
        cpus: Processors of a task of extraction, which has as many workers; other stages take one.
        gpus: For the stages that train, as sbatch takes it.
        warn_s: Seconds before the time limit at which a task writes its checkpoint and goes back into the queue.
        more: Further options of sbatch, such as "--constraint=v100".
        setup: Lines of shell before the work, such as "module load ffmpeg".
    """

    partition: str | None = None
    account: str | None = None
    time: str | None = None
    memory: str | None = None
    cpus: int = 4
    gpus: str | None = None
    warn_s: int = 90
    more: list[str] = field(default_factory=list)
    setup: list[str] = field(default_factory=list)


def write_scripts(folder: Path, study: str, jobs: list[BatchJob], request: SlurmRequest) -> list[Path]:
    """Writes all scripts of a plan and takes away those of an earlier one; returns them, submit.sh last.

    Args:
        folder: RUN/slurm.
        study: The study's name; begins the names of the jobs in the queue.
        jobs: The plan.
        request: What is asked of Slurm.
    """
    for old in folder.glob("*.sbatch"):
        old.unlink()
    paths = [folder / f"{job.name}.sbatch" for job in jobs]
    for path, job in zip(paths, jobs, strict=True):
        write_text(path, job_script(study, job, request))
    write_text(folder / "submit.sh", submit_script(jobs))
    return [*paths, folder / "submit.sh"]


def job_script(study: str, job: BatchJob, request: SlurmRequest) -> str:
    """The text of one .sbatch file."""
    options = [f"#SBATCH {option}" for option in _options(study, job, request)]
    arguments = ["-m", "mtpkd_cli", job.stage, "."]
    table = []
    if job.repetitions:
        table = [
            f"folds=({' '.join(str(fold) for fold, _ in job.repetitions)})",
            f"seeds=({' '.join(str(seed) for _, seed in job.repetitions)})",
        ]
        arguments += ["--fold", '"${folds[$SLURM_ARRAY_TASK_ID]}"', "--seed", '"${seeds[$SLURM_ARRAY_TASK_ID]}"']
    if job.shares:
        table.append(f"shares=({' '.join(f'{share:g}' for share in job.shares)})")
        arguments += ["--label-shares", '"${shares[$SLURM_ARRAY_TASK_ID]}"']
    if job.stage == "extract":
        arguments += ["--workers", str(request.cpus), *(["--shard", "slurm"] if job.shards > 1 else [])]
    if job.stage in ON_GPU:
        arguments += ["--jobs", "1"]
    return "\n".join(
        [
            "#!/bin/bash",
            f"# mtpkd {job.stage}: {job.tasks} task{'s' * (job.tasks > 1)}. Written by `mtpkd slurm`.",
            *options,
            "",
            *request.setup,
            *table,
            f"{shlex.quote(sys.executable)} {' '.join(arguments)} &",
            _ENDING.format(interrupted=Interrupted.exit_code),
        ]
    )


# Only the warning before the time limit puts a job back: one that was cancelled or pre-empted is Slurm's to decide on.
_ENDING = """\
child=$! signals=0 handled=0 warned=
trap 'signals=$((signals + 1)) warned=1; kill -USR1 "$child"' USR1  # time is nearly up
trap 'signals=$((signals + 1)); kill -TERM "$child"' TERM           # cancelled, or pre-empted
wait "$child"; code=$?
while [ "$signals" -gt "$handled" ]; do
    handled=$signals  # a signal ended the waiting, not the program
    wait "$child"; code=$?
done
if [ "$code" -eq {interrupted} ] && [ -n "$warned" ]; then
    echo "interrupted before the time limit: back into the queue, to go on from the checkpoint" >&2
    # One task of an array has the number of the whole array, so that number alone would put all tasks back.
    task=${{SLURM_ARRAY_JOB_ID:+${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID}}
    scontrol requeue "${{task:-$SLURM_JOB_ID}}"
fi
exit "$code"
"""


def submit_script(jobs: list[BatchJob]) -> str:
    """The text of submit.sh; it prints one line per job, its name and its number."""
    lines = [
        "#!/bin/bash",
        "# Submits what was left of the study, every job after those that it needs. Options are passed on to sbatch.",
        "set -euo pipefail",
        'cd "$(dirname "$0")/.."',
        f"mkdir -p {OUTPUT}",
        'submit() { sbatch --parsable "$@" | cut -d ";" -f 1; }',
    ]
    for job in jobs:
        name = _variable(job)
        needs = "".join(f":${{{_variable(other)}}}" for other in jobs if other.name in job.after)
        after = f'--dependency="afterok{needs}" ' if needs else ""
        lines += [f'{name}=$(submit {after}"$@" slurm/{job.name}.sbatch)', f'echo "{job.name} ${name}"']
    return "\n".join(lines) + "\n"


def _options(study: str, job: BatchJob, request: SlurmRequest) -> list[str]:
    array = f"0-{len(job.repetitions) - 1}" if job.repetitions else f"1-{job.shards}" if job.shards > 1 else None
    given = {
        "job-name": f"{study}-{job.name}",
        "array": array,
        "partition": request.partition,
        "account": request.account,
        "time": request.time,
        "mem": request.memory,
        "cpus-per-task": str(request.cpus if job.stage == "extract" else 1),
        "gpus": request.gpus if job.trains else None,
        "output": f"{OUTPUT}/%x-{'%A_%a' if array else '%j'}.txt",
        "open-mode": "append",
        "signal": f"B:USR1@{request.warn_s}",
        "kill-on-invalid-dep": "yes",
    }
    return [f"--{key}={value}" for key, value in given.items() if value] + ["--requeue", *request.more]


def _variable(job: BatchJob) -> str:
    return job.name.replace("-", "_")
