"""A study with its report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.report import write_report


@pytest.fixture(scope="session")
def reported(finished: Any, made_once: Callable[..., Path]) -> Any:
    """A finished study with its report; not to be written into."""
    return type(finished)(
        made_once("reported", lambda folder: write_report(finished.copy(folder / "study").run)) / "study"
    )
