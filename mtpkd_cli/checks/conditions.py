"""Conditions: what training will demand of this corpus, the same that a command is refused for at its start."""

from mtpkd_cli.checks import CheckResult
from mtpkd_cli.pipeline.candidates import passed_by
from mtpkd_cli.pipeline.start import findings_of
from mtpkd_cli.training.facts import Facts


def look_at_conditions(facts: Facts) -> CheckResult:
    """Lists what of settings, folds and encoders does not fit, which defaults give way, and what reaches no method."""
    # The classes of each side are counted beside the folds; here is what would mend them.
    found = [one for name, one in findings_of(facts) if not name.startswith("classes") or one.todo]
    problems = [str(finding) for finding in found if finding.kind != "note"]
    notes = [*passed_by(facts.study), *(str(finding) for finding in found if finding.kind == "note")]
    trained = facts.trained()
    without = [facts.having(side.unlabelled, facts.study.prevalent) for side in facts.sides]
    text, counts = f"{_between(trained)} samples train a student", {"trained": trained}
    if any(without):
        text, counts = f"{text}, and {_between(without)} without a label", counts | {"unlabelled": without}
    return CheckResult("settings", text, problems, notes, counts)


def _between(counts: list[int]) -> str:
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
