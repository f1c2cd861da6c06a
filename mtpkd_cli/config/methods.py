"""What methods a study can name: methods, controls of them and imputations, read from their files without torch.

`mtpkd_cli/methods/__init__.py` says what such a file has. A control belongs to a method (CONTROL_OF) and has that
method's options and constants but for those that it fixes (FIXED). A placebo is a control that every method has that
listens to teachers: that of one method is a file, that of any other NAME is the same change of NAME, and is called
NAME-placebo.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from mtpkd_cli.errors import MtpkdError, StudyError, did_you_mean, first_ten
from mtpkd_cli.registry import Registry, assignments, syntax_of

CONSTANTS = {
    "method": ("TNET", "GRID", "GUARD", "TAUGHT", "RELEASED", "VERSIONS", "LEAST", "LABELS", "UNLABELLED"),
    "control": ("CONTROL_OF", "FIXED"),
    "imputation": ("IMPUTE",),
}
"""Kind of a file -> the constants that it may have."""

PROPOSED = "mt-pkdot"
"""The method that this program proposes: reports speak of it, and controls are named for what they change of it."""

_KNOWN = [constant for constants in CONSTANTS.values() for constant in constants]
_PLACEBO = "placebo"
_SUFFIX = f"-{_PLACEBO}"


class MethodRegistry(Registry):
    """The methods, and of each that teachers teach its placebo; `names` lists files alone."""

    def method_of(self, name: str) -> str:
        """Returns NAME of NAME-placebo, and any other name as it is."""
        return name.removesuffix(_SUFFIX)

    def control_of(self, name: str) -> str | None:
        """Returns the method that a control belongs to; None of what is no control.

        Raises:
            StudyError: The control's file names a method that there is not.
        """
        if self.method_of(name) != name:
            return self.method_of(name)
        method = super().constant(name, "CONTROL_OF")
        return None if method is None else self.check(str(method), where=f"{self.path(name)}: CONTROL_OF")

    def placebo_of(self, method: str) -> str:
        """Returns the name of a method's placebo, whether it has one or not."""
        return _PLACEBO if self.control_of(_PLACEBO) == method else method + _SUFFIX

    def has_placebo(self, method: str) -> bool:
        """Whether a method's loss reads what teachers say, and the method is no control itself."""
        if self.control_of(method) is not None or self.constant(method, "IMPUTE"):
            return False
        return bool(self.constant(method, "TAUGHT", True))

    def with_placebo(self) -> list[str]:
        """Returns the sorted names of the methods whose placebo has no file."""
        return [m for m in self.names() if self.has_placebo(m) and self.placebo_of(m) == m + _SUFFIX]

    def check(self, name: str, where: str | None = None) -> str:
        """Returns the name if it is a method or the placebo of one.

        Raises:
            StudyError: As of any registry; or the method has no placebo, or one of another name.
        """
        method = super().check(self.method_of(name), where)
        if name == method:
            return name
        if not self.has_placebo(method):
            reason = f"{method} has no placebo: its loss reads no teacher, or it is a control"
            raise StudyError(reason, where=where, expected=f"-placebo after {', '.join(self.with_placebo())}")
        if name != self.placebo_of(method):
            expected = self.placebo_of(method)
            raise StudyError(f"the placebo of {method} is called '{expected}'", where=where, expected=expected)
        return name

    def path(self, name: str) -> Path:
        """Returns the file of a method; of a placebo without one that with the change which all placebos make.

        Raises:
            MtpkdError: The file has a constant that no such file may have.
        """
        path = super().path(name if self.method_of(self.check(name)) == name else _PLACEBO)
        _check_constants(path)
        return path

    def document(self, name: str) -> str:
        """Returns the whole docstring of a method, or what its placebo is."""
        text = super().document(name)
        return text if self.method_of(name) == name else self.of_placebos(self.method_of(name))

    def of_placebos(self, method: str = "NAME") -> str:
        """Returns what the placebo of a method is, or of any: what its file says, of another method."""
        return super().document(_PLACEBO).replace(str(self.control_of(_PLACEBO)), method)

    def constant(self, name: str, constant: str, default: object = None) -> object:
        """Returns a constant of a method, or the default where it has none; a control has those of its method.

        Raises:
            ValueError: No file may have a constant of that name.
        """
        if constant not in _KNOWN:
            raise ValueError(f"{constant} is not a constant of any method: {', '.join(_KNOWN)}")
        method = self.control_of(name)
        if method is None or constant == "FIXED":
            return super().constant(name, constant, default)
        if constant == "CONTROL_OF":
            return method
        value = self.constant(method, constant, default)
        return self._open(name, value) if constant == "GRID" and isinstance(value, dict) else value

    def options(self, name: str) -> dict[str, Any]:
        """Returns the options of a method with their defaults: a control's are its method's, an imputation has none."""
        if self.constant(name, "IMPUTE"):
            return {}
        method = self.control_of(name)
        return self.keywords(name, "terms") if method is None else self._open(name, self.options(method))

    def released(self, name: str) -> dict[str, tuple[Any, ...]]:
        """Returns option -> the only values that it may have, of a method that stands for a publication; else {}."""
        return cast(dict[str, tuple[Any, ...]], self.constant(name, "RELEASED", {}))

    def with_unlabelled(self, name: str) -> dict[str, Any]:
        """Returns option -> its default where recordings without a label teach, where that is another one."""
        return self._open(name, cast(dict[str, Any], self.constant(name, "UNLABELLED", {})))

    def version(self, name: str, options: Mapping[str, Any]) -> int:
        """Returns the version of a method's loss with these options: 1, or more where it became another one."""
        versions = cast(dict[int, dict[str, Any]], self.constant(name, "VERSIONS", {}))
        return max((number for number, only in versions.items() if only.items() <= options.items()), default=1)

    def _open(self, control: str, options: dict[str, Any]) -> dict[str, Any]:
        """Those of a method's options that a control does not fix."""
        fixed = cast(dict[str, Any], self.constant(control, "FIXED", {}))
        return {key: value for key, value in options.items() if key not in fixed}


@cache
def _check_constants(path: Path) -> None:
    syntax = syntax_of(path)
    kinds = {"CONTROL_OF": "control", "IMPUTE": "imputation"}
    kind = next((kinds[constant] for constant in assignments(syntax) if constant in kinds), "method")
    problems = [
        f"line {line}: {name}{'' if name in _KNOWN else did_you_mean(name, _KNOWN)}"
        for line, name in _assigned(syntax)
        if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and name not in CONSTANTS[kind]
    ]
    if problems:
        raise MtpkdError(
            f"no {kind} has a constant of this name:\n{first_ten(problems)}",
            where=path,
            expected=", ".join(CONSTANTS[kind]),
            todo="mend the name, or begin it with _ if this file alone reads it",
        )


def _assigned(syntax: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of everything that is assigned at the top of a file."""
    for node in syntax.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in filter(None, targets):
            yield from ((node.lineno, part.id) for part in ast.walk(target) if isinstance(part, ast.Name))


METHODS = MethodRegistry("mtpkd_cli.methods", "method")
