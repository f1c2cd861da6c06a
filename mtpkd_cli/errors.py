"""What can go wrong: one base class, one exit code per kind.

Every message says what is wrong, where, what was received, what was expected and what to do. Shell scripts on
clusters decide by the exit code, people by the text; neither needs a traceback.
"""

import difflib
from collections.abc import Iterable


class MtpkdError(Exception):
    """Base of every error that a user can act on.

    Args:
        what: One sentence that names the problem, with the received value in it.
        where: The file, row, key or option at fault.
        expected: What would have been accepted.
        todo: The next command or edit that mends it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: object = None, expected: object = None, todo: str | None = None) -> None:
        self.what, self.where, self.expected, self.todo = what, where, expected, todo
        super().__init__(what)

    def __str__(self) -> str:
        details = [("where", self.where), ("expected", self.expected), ("to do", self.todo)]
        return "\n".join([self.what, *(f"  {label}: {value}" for label, value in details if value is not None)])

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (the extraction pool); the keyword-only details must survive pickling.
        return (_rebuild, (type(self), self.what, self.where, self.expected, self.todo))


class StudyError(MtpkdError):
    """The command line or study.toml is wrong."""

    exit_code = 2


class ArtifactError(MtpkdError):
    """The artifact of an earlier stage is missing or stale."""

    exit_code = 3


class DataError(MtpkdError):
    """The recordings, signals or labels are not what they should be."""

    exit_code = 4


class TooManyFailures(MtpkdError):
    """More samples failed than the study allows."""

    exit_code = 5


class NumericalError(MtpkdError):
    """A computation left the finite numbers."""

    exit_code = 6


class MachineError(MtpkdError):
    """This machine lacks something that the program needs."""

    exit_code = 69


class Busy(MtpkdError):
    """Another process is making the same result."""

    exit_code = 73


class StorageError(MtpkdError):
    """The disk does not take what is to be written; the number is EX_IOERR of sysexits.h."""

    exit_code = 74


class Interrupted(MtpkdError):
    """A signal asked the program to stop; running the same command again continues."""

    exit_code = 75


def did_you_mean(received: str, known: Iterable[str]) -> str:
    """Returns "; did you mean 'x'?" for the nearest known name, or "" where none is near."""
    names = list(known)
    # Letters of the other case are letters of another kind to difflib.
    near = [name for name in names if name.casefold() == received.casefold()]
    near = near or difflib.get_close_matches(received, names, n=1, cutoff=0.55)
    return f"; did you mean '{near[0]}'?" if near else ""


def first_ten(problems: list[str]) -> str:
    """Returns all problems as one indented list, the first ten in full and the rest counted."""
    shown = [f"  - {problem}" for problem in problems[:10]]
    return "\n".join(shown + ([f"  ... and {len(problems) - 10} more"] if len(problems) > 10 else []))


def _rebuild(kind: type[MtpkdError], what: str, where: object, expected: object, todo: str | None) -> MtpkdError:
    return kind(what, where=where, expected=expected, todo=todo)
