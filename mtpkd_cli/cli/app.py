"""The program, and the commands that compute nothing."""

from pathlib import Path
from typing import Annotated

import typer

from mtpkd_cli import __version__
from mtpkd_cli.cli.options import Json, Run, Set, Unset

app = typer.Typer(
    name="mtpkd",
    help="Train emotion and pain recognisers that need one sensor, from teachers that see many.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 unexpected; 2 usage or study.toml; 3 an earlier stage is missing or stale; "
    "4 invalid data; 5 too many failures; 6 numerical failure; 73 another process is at it; "
    "74 the disk refuses; 75 interrupted, run again to resume.",
)


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def _top(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and leave.")
    ] = False,
) -> None:
    _ = debug, version  # --debug is read by main(), which has to know it even if parsing fails


@app.command()
def init(
    run: Run,
    preset: Annotated[str, typer.Option(help="A ready study: mtpkd presets lists them.")],
    data: Annotated[Path, typer.Option(help="Folder of the corpus.")],
    prevalent: Annotated[
        list[str] | None, typer.Option(help="Modality of the student, the others privileged; repeatable.")
    ] = None,
    set_: Set = None,
    unset: Unset = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a study.toml that is there.")] = False,
) -> None:
    """Make a run folder with a commented study.toml."""
    from mtpkd_cli.cli import setup

    print(setup.init_run(run, preset, data, prevalent or [], set_ or [], unset or [], overwrite))


@app.command()
def status(run: Run, json: Json = False) -> None:
    """Show what is done, stale (and why) or missing."""
    from mtpkd_cli.cli import setup

    setup.show_status(run, json)


@app.command()
def methods(
    name: Annotated[str | None, typer.Argument(help="All about one method.", show_default=False)] = None,
) -> None:
    """List the distillation methods: formula, source and options of each."""
    from mtpkd_cli.cli import methods as shown

    if name is None:
        shown.list_methods()
    else:
        shown.show_method(name)


@app.command()
def presets() -> None:
    """List the ready studies of `mtpkd init`."""
    from mtpkd_cli.cli import setup

    setup.list_presets()


@app.command()
def guide(
    topic: Annotated[str | None, typer.Argument(help="A page; default: list them.", show_default=False)] = None,
) -> None:
    """Show a page of the guide, or list them."""
    from rich.console import Console
    from rich.markdown import Markdown

    from mtpkd_cli.guide import page, topics

    if topic is None:
        print("\n".join(f"{name}: {title}" for name, title in topics().items()))
        return
    console = Console()
    # A pipe gets the page as it was written.
    console.print(Markdown(page(topic))) if console.is_terminal else print(page(topic))
