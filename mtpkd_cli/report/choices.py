"""What each method kept where it tried several students: options, or the guard's student that knows of no teacher."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from mtpkd_cli.report.results import Results
from mtpkd_cli.training.checkpoints import DESCRIPTION


def choices(results: Results) -> list[str]:
    """One sentence per method that tried more than one student; a gain is only as much its own as it was kept."""
    said = []
    for method in results.students:
        models = [_description(results.run.student(*pair, method)) for pair in results.repetitions]
        models = [model for model in models if len(model.get("tried", ())) > 1]
        if models:
            kept = Counter(_name(model, method) for model in models)
            counts = ", ".join(f"{name} in {count}" for name, count in kept.most_common())
            tried = max(len(model["tried"]) for model in models)
            said.append(
                f"{method} tried {tried} students per repetition and kept the one with the least validation loss; "
                f"of {len(models)} repetitions: {counts}."
            )
    return said


def _description(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Without a description nothing is known of the choice, and nothing is said.
        return {}
    return content if isinstance(content, dict) else {}


def _name(model: dict[str, Any], method: str) -> str:
    """The options in which the kept student differs from others of its method; else the method's name."""
    chosen = model["chosen"]
    if chosen["method"] != method:
        return f"the student of {chosen['method']}"
    own = [tried["options"] for tried in model["tried"] if tried["method"] == method]
    varied = [key for key, value in chosen["options"].items() if any(other.get(key) != value for other in own)]
    return " ".join(f"{key} = {chosen['options'][key]}" for key in varied) or f"{method} as it is"
