"""Export of the chosen student: what was written, and how near it is, on stdout."""

from pathlib import Path

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import read_study
from mtpkd_cli.deploy.choice import choose
from mtpkd_cli.deploy.exporting import CHECKS, Format
from mtpkd_cli.deploy.handing_over import hand_over


def export(
    folder: Path, kind: Format, output: Path | None, method: str | None, fold: int | None, seed: int | None
) -> None:
    """Writes the student that was asked for, or the one with the least validation loss."""
    run = RunFolder(folder)
    study = read_study(run.study)
    chosen = choose(run, study, method, fold, seed)[0]
    place = output or run.export(chosen.method, kind)
    worst = hand_over(run, study, chosen, kind, place)
    print(f"student: {chosen.name}")
    print(f"equal to the torch student to {worst:.1g} on {CHECKS} samples of odd lengths")
    print(f"wrote {place}")
