"""The file that holds scores of scikit-learn's models of the same features."""

import json
from typing import Any

from mtpkd_cli.artifacts import RunFolder

FILE = "classical.json"


def read_classical(run: RunFolder) -> dict[str, Any] | None:
    """The content of classical.json; None where there is none that can be read."""
    try:
        content: dict[str, Any] = json.loads((run.classical / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if "made_of" in content else None
