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

_PLACEBO = "-placebo"


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

    def help(self, name: str) -> str:
        """Returns the first docstring line of a member; does not import it."""
        return self.document(name).splitlines()[0]

    def document(self, name: str) -> str:
        """Returns the whole docstring of a member; does not import it."""
        return ast.get_docstring(self._syntax(name)) or ""

    def keywords(self, name: str, function: str) -> dict[str, object]:
        """Returns the keyword-only parameters of a member's function with their defaults; does not import it.

        This is how a stage knows which options a method reads, and so what makes its result stale, without torch.
        """
        for node in self._syntax(name).body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                return {arg.arg: ast.literal_eval(default) for arg, default in pairs if default is not None}
        raise TypeError(f"{self.kind} '{name}' defines no function {function}")

    def constant(self, name: str, constant: str, default: object = None) -> object:
        """Returns a literal constant of a member, or the default where it has none; does not import it."""
        for node in self._syntax(name).body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [constant]:
                return ast.literal_eval(node.value)
        return default

    def load(self, name: str) -> ModuleType:
        """Imports a member; raises StudyError where there is none of that name."""
        return importlib.import_module(f"{self.package}.{self._members[self.check(name)].stem}")

    def _syntax(self, name: str) -> ast.Module:
        return _tree(self._members[self.check(name)])

    @property
    def _members(self) -> dict[str, Path]:
        return _files(self.package, self.besides)


class MethodRegistry(Registry):
    """The methods, and of each that teachers teach its placebo, which has no file of its own: NAME-placebo.

    It is NAME with each sample taught what was meant for another one (`methods/_placebo_of.py`); options, grid and
    guard are NAME's. `names` lists files alone. A placebo that is a file says of which method by its PLACEBO_OF.
    """

    def taught(self, name: str) -> str:
        """Returns the method that a placebo without a file is of; of any other name the name itself."""
        return name.removesuffix(_PLACEBO)

    def placebo_of(self, method: str) -> str:
        """Returns the name of a method's placebo, whether it has one or not."""
        own = (name for name in self.names() if self.constant(name, "PLACEBO_OF") == method)
        return next(own, method + _PLACEBO)

    def has_placebo(self, method: str) -> bool:
        """Whether a method's loss reads what teachers say, and the method is no control itself."""
        kept = self.constant(method, "TAUGHT", True) and not self.constant(method, "IMPUTE")
        return bool(kept) and not self.constant(method, "CONTROL", False)

    def with_placebo(self) -> list[str]:
        """Returns the sorted names of the methods whose placebo has no file."""
        return [m for m in self.names() if self.has_placebo(m) and self.placebo_of(m) == m + _PLACEBO]

    def check(self, name: str, where: str | None = None) -> str:
        """Returns the name if it is a method or the placebo of one.

        Raises:
            StudyError: As of any registry; or the method has no placebo, or one of another name.
        """
        method = super().check(self.taught(name), where)
        if name == method:
            return name
        if not self.has_placebo(method):
            reason = f"{method} has no placebo: its loss reads no teacher, or it is a control"
            raise StudyError(reason, where=where, expected=f"-placebo after {', '.join(self.with_placebo())}")
        if name != self.placebo_of(method):
            expected = self.placebo_of(method)
            raise StudyError(f"the placebo of {method} is called '{expected}'", where=where, expected=expected)
        return name

    def document(self, name: str) -> str:
        """Returns the whole docstring of a method, or what its placebo is."""
        self.check(name)
        return super().document(name) if self.taught(name) == name else self.of_placebos(self.taught(name))

    def of_placebos(self, method: str = "NAME") -> str:
        """Returns what the placebo of a method is, or of any."""
        path = Path(__file__).parent / "methods" / "_placebo_of.py"
        return (ast.get_docstring(_tree(path)) or "").replace("NAME", method)

    def constant(self, name: str, constant: str, default: object = None) -> object:
        """Returns a literal constant of a method; a placebo has those of its method, and is a control."""
        if constant == "CONTROL" and self.taught(name) != name:
            return True
        return super().constant(self.taught(name), constant, default)

    def keywords(self, name: str, function: str) -> dict[str, object]:
        """Returns the keyword-only parameters of a method's function with defaults; a placebo has its method's."""
        return super().keywords(self.taught(name), function)

    def load(self, name: str) -> ModuleType:
        """Imports a method, or makes the placebo of one."""
        self.check(name)
        method = super().load(self.taught(name))
        if self.taught(name) == name:
            return method
        made: ModuleType = importlib.import_module(f"{self.package}._placebo_of").placebo_of(method)
        return made


@cache
def _tree(path: Path) -> ast.Module:
    # Listing what there is to do asks for constants of every method in every fold and seed: thousands of times.
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _files(package: str, besides: tuple[str, ...]) -> dict[str, Path]:
    # The folder is found from this file, not by import, since a package's front door may load heavy libraries.
    folder = Path(__file__).parent.joinpath(*package.split(".")[1:])
    stems = {p.stem: p for p in folder.glob("*.py") if not p.stem.startswith("_") and p.stem not in besides}
    return {stem.replace("_", "-"): path for stem, path in stems.items()}


DATASETS = Registry("mtpkd_cli.datasets", "dataset")
ENCODERS = Registry("mtpkd_cli.encoders", "encoder", besides=("running",))
METHODS = MethodRegistry("mtpkd_cli.methods", "method")
METRICS = Registry("mtpkd_cli.metrics", "metric")
