"""File stem = name: lists the modules of a package without importing them and loads one on use.

An encoder, dataset, method or metric is one file in its package. The name that a study uses is the file's stem with
dashes for underscores; the first line of the file's docstring is its help text. Files whose stem begins with an
underscore are not members.
"""

import ast
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

from mtpkd_cli.errors import StudyError, did_you_mean


class Registry:
    """The members of one package.

    Args:
        package: Dotted name of the package, e.g. "mtpkd_cli.encoders".
        kind: What a member is called in messages, e.g. "encoder".
        besides: Stems of files that belong to all members and are none.
    """

    def __init__(self, package: str, kind: str, besides: tuple[str, ...] = ()) -> None:
        self.package, self.kind, self.besides = package, kind, besides

    def names(self) -> list[str]:
        """Returns the sorted names of all members; imports none of them."""
        return sorted(self._members)

    def check(self, name: str, where: str | None = None) -> str:
        """Returns the name if it is a member.

        Raises:
            StudyError: It is not; `where` names the key that holds it, the message the nearest member.
        """
        if name not in self._members:
            known = self.names()
            raise StudyError(
                f"there is no {self.kind} '{name}'{did_you_mean(name, known)}", where=where, expected=", ".join(known)
            )
        return name

    def path(self, name: str) -> Path:
        """Returns the file of a member."""
        return self._members[self.check(name)]

    def help(self, name: str) -> str:
        """Returns the first docstring line of a member; does not import it."""
        return self.document(name).splitlines()[0]

    def document(self, name: str) -> str:
        """Returns the whole docstring of a member; does not import it."""
        return ast.get_docstring(syntax_of(self.path(name))) or ""

    def keywords(self, name: str, function: str) -> dict[str, object]:
        """Returns the keyword-only parameters of a member's function with their defaults; does not import it.

        This is how a stage knows which options a method reads, and so what makes its result stale, without torch.
        """
        for node in syntax_of(self.path(name)).body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                return {arg.arg: ast.literal_eval(default) for arg, default in pairs if default is not None}
        raise TypeError(f"{self.kind} '{name}' defines no function {function}")

    def constant(self, name: str, constant: str, default: object = None) -> object:
        """Returns a literal constant of a member, or the default where it has none; does not import it."""
        value = assignments(syntax_of(self.path(name))).get(constant)
        return default if value is None else ast.literal_eval(value)

    def load(self, name: str) -> ModuleType:
        """Imports a member; raises StudyError where there is none of that name."""
        return importlib.import_module(f"{self.package}.{self.path(name).stem}")

    @property
    def _members(self) -> dict[str, Path]:
        return _files(self.package, self.besides)


@cache
def syntax_of(path: Path) -> ast.Module:
    """Returns the syntax of a file, parsed once.

    Listing what there is to do asks for constants of every method in every fold and seed: thousands of times.
    """
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def assignments(syntax: ast.Module) -> dict[str, ast.expr]:
    """Returns what is assigned to each name at the top of a file, as expressions."""
    values: dict[str, ast.expr] = {}
    for node in syntax.body:
        if isinstance(node, ast.Assign):
            values |= {name.id: node.value for name in node.targets if isinstance(name, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            values[node.target.id] = node.value
    return values


@cache
def _files(package: str, besides: tuple[str, ...]) -> dict[str, Path]:
    # The folder is located from this file, not by import, since a package's front door may load heavy libraries.
    folder = Path(__file__).parent.joinpath(*package.split(".")[1:])
    stems = {p.stem: p for p in folder.glob("*.py") if not p.stem.startswith("_") and p.stem not in besides}
    return {stem.replace("_", "-"): path for stem, path in stems.items()}


DATASETS = Registry("mtpkd_cli.datasets", "dataset")
ENCODERS = Registry("mtpkd_cli.encoders", "encoder", besides=("running",))
METRICS = Registry("mtpkd_cli.metrics", "metric")
