"""The verb that makes a learning curve over labels: the study once per share of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.logs import logged
from mtpkd_cli.artifacts.run_folder import share_name
from mtpkd_cli.config import read_study
from mtpkd_cli.library.jobs import job_of
from mtpkd_cli.library.reporting import Silent, StrPath
from mtpkd_cli.stages import Extraction, Reporter

if TYPE_CHECKING:
    from mtpkd_cli.evaluation.curve import CurveScores


def curve(
    folder: StrPath,
    label_shares: Sequence[float] = (),
    *,
    methods: Sequence[str] = (),
    folds: Sequence[int] = (),
    seeds: Sequence[int] = (),
    plan: bool = False,
    device: str = "auto",
    threads: int = 1,
    jobs: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> "CurveScores | None":
    """Does the study once per share of the labels, and says how many labels each method's score is worth.

    What is asked for is kept in the run: without shares and methods it goes on with that. The study's own results are
    those of its share, and stay as they are.

    Args:
        label_shares: Shares of the labels; empty = as asked for before, else 0.05, 0.1, 0.25, 0.5 and 1.
        methods: Beside student-only; empty = as asked for before, else those of the study, self, placebo, all-labels.
        folds: Of these only: of the curve's shares and methods those that are given are trained, and nothing is scored.
        seeds: Of these only, as of folds.
        plan: Keep what is asked for and compute nothing.
        jobs: Repetitions of all shares side by side; None = as processors allow, at most 4.
        overwrite: Make again what is up to date, but for what is the run's.

    Returns:
        The curve; None where nothing was scored.
    """
    from mtpkd_cli.evaluation.curve import read_curve
    from mtpkd_cli.evaluation.summary import SUMMARY
    from mtpkd_cli.pipeline.curve import FITTED, Chosen, score_curve, shares_of, train_curve
    from mtpkd_cli.pipeline.curve_request import (
        REFERENCE,
        USUAL_SHARES,
        CurveRequest,
        check_chosen,
        read_request,
        request_of,
        write_request,
    )
    from mtpkd_cli.pipeline.label_shares import usable_shares
    from mtpkd_cli.pipeline.start import check_start
    from mtpkd_cli.report import write_report

    reporter, run = reporter or Silent(), RunFolder(Path(folder))
    study, chosen = read_study(run.study), Chosen()
    request = before = read_request(run)
    if before is None or not (folds or seeds):
        request = request_of(run, label_shares, methods)
        # The usual shares may have been kept before there were samples that say which of them are the same.
        is_named = bool(label_shares) or request.shares != list(USUAL_SHARES)
        shares = usable_shares(run, study, request.shares, None if is_named else reporter.note)
        request = CurveRequest(shares=shares, methods=request.methods)
    assert request is not None
    if folds or seeds:
        check_chosen(request, study, label_shares, methods)
        with_reference = (REFERENCE, *methods) if methods else ()
        chosen = Chosen(tuple(map(share_name, label_shares)), tuple(folds), tuple(seeds), with_reference)
    curves = shares_of(run, study, request)
    with logged(run.logs, "curve"):
        job = job_of(run, study, reporter, device, threads, jobs, overwrite, Extraction())
        for one in curves:
            if not chosen.shares or share_name(one.share) in chosen.shares:
                check_start(run, one.study, FITTED, reporter, methods=methods)
        if request != before:
            write_request(run, request)
        if plan:
            reporter.note(f"curve: {len(curves)} shares are asked for; mtpkd slurm {run.root} writes jobs for them")
            return None
        made = train_curve(run, study, request, chosen, job)
        reporter.note(f"curve: {made} teachers, banks and students made" if made else "curve: nothing to train")
        if folds or seeds:
            reporter.note("curve: scored once it is run without --fold and --seed")
            return None
        if score_curve(run, study, request, job):
            if (run.evaluation / SUMMARY).exists():
                reporter.note(f"wrote {write_report(run, reporter.progress)}")
            else:
                reporter.note(f"curve: the report shows it once mtpkd evaluate {run.root} has written one")
    return read_curve(run)
