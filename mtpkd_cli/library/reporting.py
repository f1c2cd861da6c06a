"""What the verbs take: the path of a run folder, and a reporter of progress that reports nothing."""

import os
from collections.abc import Callable

StrPath = str | os.PathLike[str]


class Silent:
    """A reporter that reports nothing."""

    def note(self, text: str) -> None:
        """Drops one line."""

    def progress(self, label: str, total: int) -> Callable[[], None]:
        """Counts nothing."""
        del label, total
        return lambda: None
