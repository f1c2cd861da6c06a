"""Clusters: `mtpkd slurm` writes and submits batch scripts of what is left, `mtpkd doctor` looks at the machine."""

from pathlib import Path
from typing import Annotated

import typer

from mtpkd_cli.cli.app import app
from mtpkd_cli.cli.options import Json, Run

_SLURM = "What is asked of Slurm"


@app.command(rich_help_panel="Clusters")
def slurm(
    run: Run,
    partition: Annotated[str | None, typer.Option(help="Partition.", rich_help_panel=_SLURM)] = None,
    account: Annotated[str | None, typer.Option(help="Account.", rich_help_panel=_SLURM)] = None,
    time: Annotated[
        str | None, typer.Option(help="Time limit of a task, e.g. 2:00:00.", rich_help_panel=_SLURM)
    ] = None,
    mem: Annotated[str | None, typer.Option(help="Memory of a task, e.g. 8G.", rich_help_panel=_SLURM)] = None,
    gpus: Annotated[
        str | None, typer.Option(help="GPUs of a task that trains, e.g. 1.", rich_help_panel=_SLURM)
    ] = None,
    cpus: Annotated[
        int, typer.Option(min=1, help="Processors of a task of extraction; others take one.", rich_help_panel=_SLURM)
    ] = 4,
    sbatch: Annotated[
        list[str] | None,
        typer.Option(metavar="OPTION", help="Any option of sbatch, e.g. --constraint=v100.", rich_help_panel=_SLURM),
    ] = None,
    setup: Annotated[
        list[str] | None, typer.Option(metavar="LINE", help="A line of shell before the work, e.g. 'module load cuda'.")
    ] = None,
    shards: Annotated[int, typer.Option(min=1, help="Tasks over which extraction is spread.")] = 4,
    array_limit: Annotated[int, typer.Option(min=1, help="Most tasks of one array, as the cluster allows.")] = 1000,
    warn: Annotated[
        int, typer.Option(min=1, help="Seconds before the time limit at which a task goes back into the queue.")
    ] = 90,
    submit: Annotated[bool, typer.Option("--submit", help="Submit them too.")] = False,
    json: Json = False,
) -> None:
    """Write batch scripts for what is not done into RUN/slurm: extraction, then arrays over folds and seeds.

    Each stage begins when the one before has succeeded. A task writes a checkpoint before its time is up and goes back
    into the queue. After a failure, run this again: only what is not done is planned. A curve over labels that is asked
    for (mtpkd curve --plan) becomes an array over shares, folds and seeds, and then its scores.
    """
    from mtpkd_cli.cli import batch
    from mtpkd_cli.cluster import SlurmRequest

    request = SlurmRequest(partition, account, time, mem, cpus, gpus, warn, sbatch or [], setup or [])
    batch.batch_scripts(run, request, shards, array_limit, submit=submit, as_json=json)


@app.command(rich_help_panel="Clusters")
def doctor(
    run: Annotated[Path, typer.Argument(help="A run folder, or where one is to be.")] = Path(),
    json: Json = False,
) -> None:
    """Show versions, devices, codecs, disk and Slurm of this machine, and what is wrong (exit code 69)."""
    from mtpkd_cli.cli import doctor as work

    work.report(run, json)
