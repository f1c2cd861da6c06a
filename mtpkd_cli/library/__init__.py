"""The verbs of the command line as functions with typed results; the commands call these.

    >>> import mtpkd_cli as mtpkd
    >>> mtpkd.run("runs/demo")
    >>> mtpkd.read_scores("runs/demo")

A run folder is given by its path. Progress goes to a `Reporter`; without one there is none. Errors are those of
`mtpkd_cli.errors`, each with what is wrong, where, and what to do.
"""

from mtpkd_cli.library.curves import curve
from mtpkd_cli.library.making import Evaluation, ablate, do_stages, evaluate, extract, fit_final, run
from mtpkd_cli.library.reading import (
    Exported,
    check,
    compare,
    export,
    predict,
    read_predictions,
    read_scores,
    read_study,
    status,
)
from mtpkd_cli.library.transferring import transfer

__all__ = [
    "Evaluation",
    "Exported",
    "ablate",
    "check",
    "compare",
    "curve",
    "do_stages",
    "evaluate",
    "export",
    "extract",
    "fit_final",
    "predict",
    "read_predictions",
    "read_scores",
    "read_study",
    "run",
    "status",
    "transfer",
]
