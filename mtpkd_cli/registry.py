"""File stem = name: lists the modules of a package without importing them and loads one on use.

An encoder, dataset, method or metric is one file in its package. The name that a study uses is the file's stem with
dashes for underscores; the first line of the file's docstring is its help text. Files whose stem begins with an
underscore are not members.
"""

import ast
import importlib
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

from mtpkd_cli.errors import StudyError, did_you_mean


class Registry:
    """The members of one package.

    Args:
        package: Dotted name of the package, e.g. "mtpkd_cli.encoders".
        kind: What a member is called in messages, e.g. "encoder".
    """

    def __init__(self, package: str, kind: str) -> None:
        self.package, self.kind = package, kind

    def names(self) -> list[str]:
        """Returns the sorted names of all members; imports none of them."""
        return sorted(_files(self.package))

    def help(self, name: str) -> str:
        """Returns the first docstring line of a member; does not import it."""
        tree = ast.parse(self._file(name).read_text(encoding="utf-8"))
        return (ast.get_docstring(tree) or "").splitlines()[0]

    def load(self, name: str) -> ModuleType:
        """Imports a member.

        Raises:
            StudyError: The package has no member of that name; the message names the nearest one.
        """
        return importlib.import_module(f"{self.package}.{self._file(name).stem}")

    def check(self, name: str, where: str) -> str:
        """Returns the name if it is a member.

        Raises:
            StudyError: It is not; `where` names the key that holds it.
        """
        self._file(name, where)
        return name

    def _file(self, name: str, where: str | None = None) -> Path:
        files = _files(self.package)
        if name not in files:
            raise StudyError(
                f"there is no {self.kind} '{name}'{did_you_mean(name, files)}", where=where, expected=", ".join(sorted(files))
            )
        return files[name]


@cache
def _files(package: str) -> dict[str, Path]:
    # The folder is found from this file, not by import, since a package's front door may load heavy libraries.
    folder = Path(__file__).parent.joinpath(*package.split(".")[1:])
    return {p.stem.replace("_", "-"): p for p in folder.glob("*.py") if not p.stem.startswith("_")}
