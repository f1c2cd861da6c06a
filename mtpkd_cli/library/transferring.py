"""The verb that asks, before any student is trained, what teachers could teach it."""

from pathlib import Path
from typing import TYPE_CHECKING

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.logs import logged
from mtpkd_cli.config import read_study
from mtpkd_cli.library.jobs import job_of
from mtpkd_cli.library.reporting import Silent, StrPath
from mtpkd_cli.stages import Extraction, Reporter

if TYPE_CHECKING:
    from mtpkd_cli.evaluation.transfer import TransferDiagnosis


def transfer(folder: StrPath, *, overwrite: bool = False, reporter: Reporter | None = None) -> "TransferDiagnosis":
    """Diagnoses what teachers know that the student's modalities do not show.

    All teachers have been trained; students need not be. A report that is there shows it too.

    Args:
        overwrite: Make again what is up to date.
    """
    from mtpkd_cli.evaluation.transfer import read_transfer
    from mtpkd_cli.pipeline import do_optional
    from mtpkd_cli.pipeline.optional_units import transfer_unit

    reporter, run = reporter or Silent(), RunFolder(Path(folder))
    study = read_study(run.study)
    with logged(run.logs, "transfer"):
        job = job_of(run, study, reporter, "cpu", 1, 1, overwrite, Extraction())
        if do_optional(run, study, [transfer_unit(run, study)], job) and (run.evaluation / "report.html").exists():
            from mtpkd_cli.report import write_report

            reporter.note(f"wrote {write_report(run, reporter.progress)}")
    return read_transfer(run)
