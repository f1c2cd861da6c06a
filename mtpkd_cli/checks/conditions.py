"""Conditions: what training will demand of this corpus, the same that a command is refused for at its start."""

from mtpkd_cli.checks import CheckResult
from mtpkd_cli.pipeline.candidates import passed_by
from mtpkd_cli.pipeline.start import findings_of
from mtpkd_cli.training.facts import Facts


def look_at_conditions(facts: Facts) -> CheckResult:
    """Lists what of settings, folds and encoders does not fit, which defaults give way, and what reaches no method."""
    # The classes of each side are counted beside the folds; here is what would mend them.
    found = [one for name, one in findings_of(facts) if name != "classes" or one.todo]
    problems = [str(finding) for finding in found if finding.kind != "note"]
    notes = [*passed_by(facts.study), *(str(finding) for finding in found if finding.kind == "note")]
    trained = facts.trained()
    sizes = f"{min(trained)}" if min(trained) == max(trained) else f"{min(trained)} to {max(trained)}"
    return CheckResult("settings", f"{sizes} samples train a student", problems, notes, {"trained": trained})
