"""The work of `mtpkd slurm`: list the samples, plan, write, submit, and say what was done."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.cli.console import print_json
from mtpkd_cli.cli.progress import Terminal
from mtpkd_cli.cluster import BatchJob, SlurmRequest, plan_jobs, submit_jobs, write_scripts
from mtpkd_cli.config import Study, read_study
from mtpkd_cli.pipeline import STAGES, States, units_of
from mtpkd_cli.pipeline.doing import make_alone
from mtpkd_cli.pipeline.start import check_start
from mtpkd_cli.stages import Extraction, Job


def batch_scripts(
    folder: Path, request: SlurmRequest, shards: int, array_limit: int, *, submit: bool, as_json: bool
) -> None:
    """Writes the scripts of what is left, submits them where asked to, and prints one row per job."""
    run = RunFolder(folder)
    study = read_study(run.study)
    with Terminal() as terminal:
        _list_samples(run, study, terminal)
        check_start(run, study, STAGES, terminal)
        jobs = plan_jobs(run, study, shards, array_limit)
        numbers: dict[str, str] = {}
        if jobs:
            paths = write_scripts(run.slurm, study.study.name, jobs, request)
            terminal.note(f"wrote {len(paths)} files into {run.slurm}")
            if submit:
                numbers = submit_jobs(run, jobs)
            else:
                terminal.note(f"to submit them: bash {run.slurm / 'submit.sh'}")
        else:
            terminal.note("all is done: there is nothing to submit")
    rows = [_row(job, numbers) for job in jobs]
    if as_json:
        print_json({"study": study.study.name, "folder": str(run.slurm), "jobs": rows})
    elif rows:
        _print(rows)


def _list_samples(run: RunFolder, study: Study, terminal: Terminal) -> None:
    """Lists the samples here and now: how many folds there are depends on them, and shards share the listing."""
    units = units_of(run, study)
    states = States(run, study, units)
    samples = next(unit for unit in units if unit.module == "samples")
    if states.of(samples).kind == "missing":
        extraction = Extraction(root=run.data_root(study.data.root))
        make_alone(run, samples, states, Job(terminal, extraction=extraction))


def _row(job: BatchJob, numbers: dict[str, str]) -> dict[str, Any]:
    return {
        "job": job.name,
        "stage": job.stage,
        "tasks": job.tasks,
        "script": f"{job.name}.sbatch",
        "after": list(job.after),
        "job_id": int(numbers[job.name]) if job.name in numbers else None,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("job", "tasks", "after", "number in the queue")
    for row in rows:
        table.add_row(row["job"], str(row["tasks"]), ", ".join(row["after"]), str(row["job_id"] or ""))
    Console().print(table)
