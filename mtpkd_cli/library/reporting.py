"""Where a function tells how far it is, and a run folder by its path."""

import os
from collections.abc import Callable

StrPath = str | os.PathLike[str]


class Silent:
    """A reporter that tells nothing."""

    def note(self, text: str) -> None:
        """Drops one line."""

    def progress(self, label: str, total: int) -> Callable[[], None]:
        """Counts nothing."""
        del label, total
        return lambda: None
