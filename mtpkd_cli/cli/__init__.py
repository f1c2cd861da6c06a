"""The command line: the only place that prints."""

import contextlib
import inspect
import os
import sys
import traceback
from typing import NoReturn

from mtpkd_cli import interruption
from mtpkd_cli.cli import (
    ablate,
    check,
    cluster_commands,
    curve,
    deploy_commands,
    transfer,
)
from mtpkd_cli.cli.console import paragraphs
from mtpkd_cli.cli.stage_commands import app
from mtpkd_cli.errors import Interrupted, MtpkdError, StorageError
from mtpkd_cli.storage import DISK_FULL

__all__ = [
    "ablate",
    "app",
    "check",
    "cluster_commands",
    "curve",
    "deploy_commands",
    "main",
    "transfer",
]


# Help is broken where its reader's window ends, not where lines of a docstring do.
for _command in app.registered_commands:
    _command.help = paragraphs(inspect.getdoc(_command.callback) or "")

_GO_ON = "interrupted; run the same command again to go on"


def main() -> NoReturn:
    """Runs the command line and leaves with an exit code, one per kind of error, never a bare traceback."""
    debug = "--debug" in sys.argv
    interruption.listen(_tell_at_once)
    try:
        # Messages say "run it with --debug", and people put that at the end.
        app(args=[argument for argument in sys.argv[1:] if argument != "--debug"], prog_name="mtpkd")
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 1
        if code == Interrupted.exit_code:
            _tell(_GO_ON, code)
    except Interrupted as err:
        code = _tell(f"{_GO_ON} ({err})", err.exit_code)
    except MtpkdError as err:
        if debug:
            traceback.print_exc()
        code = _tell(f"error: {err}", err.exit_code)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has left; nothing is wrong with the work.
        _drop_stdout()
        code = 0
    except Exception as err:
        if debug:
            traceback.print_exc()
        if isinstance(err, OSError) and err.errno in DISK_FULL:  # on a disk that is not the run folder's, say
            code = _tell(f"error: {err}\n  to do: free some space there", StorageError.exit_code)
        else:
            code = _tell(
                f"unexpected error: {type(err).__name__}: {err}\n  to do: run it with --debug and report it", 1
            )
    code = _flushed(code)
    interruption.end_listening()
    sys.exit(code)


def _flushed(code: int) -> int:
    """Writes out what stdout still holds; results that a full disk does not take are an error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
    except OSError as err:
        _drop_stdout()
        code = code or _tell(f"error: cannot write to stdout: {err.strerror}", StorageError.exit_code)
    return code


def _drop_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(text: str, code: int) -> int:
    # A batch log on the disk that is full must not hide the exit code.
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
    return code


def _tell_at_once(text: str) -> None:
    # Called by a signal handler, maybe in the middle of a print: past Python's buffers.
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())
