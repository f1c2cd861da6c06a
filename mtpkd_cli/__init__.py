"""mtpkd: multi-teacher privileged knowledge distillation for emotion and pain recognition.

The verbs of the command line are functions here, loaded when they are asked for: see `mtpkd_cli.library`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtpkd_cli.library import (
        ablate,
        check,
        compare,
        curve,
        evaluate,
        export,
        extract,
        fit_final,
        predict,
        read_predictions,
        read_scores,
        read_study,
        run,
        status,
        transfer,
    )

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "ablate",
    "check",
    "compare",
    "curve",
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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module("mtpkd_cli.library"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
