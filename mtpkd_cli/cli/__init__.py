"""The command line: the only place that prints."""

import os
import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn

from mtpkd_cli.cli import ablate_command
from mtpkd_cli.cli.stage_commands import app
from mtpkd_cli.errors import Interrupted, MtpkdError

__all__ = ["ablate_command", "app", "main"]


def main() -> NoReturn:
    """Runs the command line and leaves with the exit code of DESIGN: one per kind of error, never a bare traceback."""
    debug = "--debug" in sys.argv
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        # Messages say "run it with --debug", and people put that at the end.
        app(args=[argument for argument in sys.argv[1:] if argument != "--debug"], prog_name="mtpkd")
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 1
    except (Interrupted, KeyboardInterrupt):
        code = _tell("interrupted; run the same command again to go on", Interrupted.exit_code)
    except MtpkdError as err:
        if debug:
            traceback.print_exc()
        code = _tell(f"error: {err}", err.exit_code)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has left; nothing is wrong with the work.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as err:
        if debug:
            traceback.print_exc()
        code = _tell(f"unexpected error: {type(err).__name__}: {err}\n  to do: run it with --debug and report it", 1)
    sys.stdout.flush()
    sys.exit(code)


def _tell(text: str, code: int) -> int:
    print(text, file=sys.stderr, flush=True)
    return code


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted(f"stopped by {signal.Signals(number).name}")
