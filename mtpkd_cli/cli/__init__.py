"""The command line: the only place that prints."""

from mtpkd_cli.cli.app import main

__all__ = ["main"]
