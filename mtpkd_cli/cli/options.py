"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="The run folder.", show_default=False, metavar="RUN")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a key of study.toml, e.g. distill.anchors=most; repeatable."),
]
Unset = Annotated[
    list[str] | None,
    typer.Option("--unset", metavar="KEY", help="Take a key out of study.toml, for its default; repeatable."),
]
Fold = Annotated[int | None, typer.Option(help="Only this fold.")]
Seed = Annotated[int | None, typer.Option(help="Only this seed.")]
Folds = Annotated[list[int] | None, typer.Option("--fold", help="Only this fold; repeatable.")]
Seeds = Annotated[list[int] | None, typer.Option("--seed", help="Only this seed; repeatable.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Make again what is up to date.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of torch on the CPU.")]
Jobs = Annotated[
    int | None, typer.Option(min=1, help="Folds and seeds side by side; default: as processors allow, at most 4.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Worker processes; default: extract.workers of the study.")]
MaxFailures = Annotated[
    str | None, typer.Option(metavar="N|P%", help="Samples that may fail; default: extract.max_failures of the study.")
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N|slurm",
        help="Write only this share of the part files, I from 1 to N, beside other processes; slurm: as the variables "
        "of the job array say. The shard that finishes last seals.",
    ),
]
Corrupt = Annotated[
    bool,
    typer.Option(
        "--corrupt",
        help="Also score test samples whose pictures or sound have been made worse and encoded anew (features, "
        "where the media are not there).",
    ),
]
CorruptSamples = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="With --corrupt: at most N samples, even over subjects and classes."),
]
Classical = Annotated[
    bool,
    typer.Option(
        "--classical",
        help="Also fit scikit-learn's linear model and random forest to the same features, pooled over time, and "
        "compare the teachers and the student alone with them.",
    ),
]
