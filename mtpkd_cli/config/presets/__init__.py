"""Ready studies: commented study.toml files with places for the name and the corpus folder."""

from pathlib import Path

from mtpkd_cli.errors import StudyError, did_you_mean

_FOLDER = Path(__file__).parent


def preset_names() -> list[str]:
    """Names of the ready studies."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def preset_help(name: str) -> str:
    """The first comment of a preset."""
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def preset_text(preset: str, name: str, root: str) -> str:
    """Returns the text of a preset for a study of this name and a corpus in this folder.

    Raises:
        StudyError: There is no such preset.
    """
    if preset not in preset_names():
        raise StudyError(
            f"there is no preset '{preset}'{did_you_mean(preset, preset_names())}",
            where="--preset",
            expected=", ".join(preset_names()),
        )
    text = (_FOLDER / f"{preset}.toml").read_text(encoding="utf-8")
    return text.replace("@NAME@", name).replace("@ROOT@", root.replace("\\", "/").replace('"', '\\"'))
