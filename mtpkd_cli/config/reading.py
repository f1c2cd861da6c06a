"""TOML text -> Study: every problem of the file at once, each with the nearest known key."""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import tomlkit
import tomlkit.exceptions
from pydantic import BaseModel, ValidationError
from tomlkit.items import InlineTable

from mtpkd_cli.config.checks import problems_across_sections
from mtpkd_cli.config.options import Options
from mtpkd_cli.config.recordings import ModalitySection
from mtpkd_cli.config.study import Study
from mtpkd_cli.errors import StudyError, did_you_mean, first_ten
from mtpkd_cli.registry import ENCODERS
from mtpkd_cli.storage import writing

AnyOptions = TypeVar("AnyOptions", bound=Options)


def read_study(path: Path) -> Study:
    """Reads and checks a study.toml.

    Raises:
        StudyError: The file is missing, is not TOML, has an unknown key or a value out of bounds; all problems at once.
    """
    try:
        return parse_study(study_text(path), where=path)
    except FileNotFoundError as err:
        raise StudyError(
            "there is no study.toml", where=path, todo="mtpkd init RUN --preset sample --data sample_data"
        ) from err
    except (OSError, UnicodeDecodeError) as err:
        raise StudyError(
            f"the study cannot be read: {err}", where=path, expected="a UTF-8 text file in the run folder"
        ) from err


def study_text(path: Path) -> str:
    """The text of a study.toml, without the mark that Windows puts before UTF-8."""
    return path.read_text(encoding="utf-8-sig")


def parse_study(text: str, where: object) -> Study:
    """Parses the text of a study.toml; raises StudyError naming `where`."""
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as err:
        raise StudyError(f"this is not TOML: {err}", where=where, todo="mend the line that the message names") from err
    study = parse_options(Study, content, where)
    problems = problems_across_sections(study)
    if problems:
        raise StudyError(f"the study does not fit together:\n{first_ten(problems)}", where=where)
    return study


def parse_options(model: type[AnyOptions], content: dict[str, Any], where: object) -> AnyOptions:
    """Reads one table into its model.

    Raises:
        StudyError: A key is unknown or a value is not allowed; the message lists all of them.
    """
    try:
        return model.model_validate(content)
    except ValidationError as err:
        problems = [_problem(model, error["loc"], error) for error in err.errors()]
        entries = "1 entry is" if len(problems) == 1 else f"{len(problems)} entries are"
        raise StudyError(
            f"{entries} not allowed:\n{first_ten(problems)}",
            where=where,
            todo="mend the keys named above",
        ) from err


def set_keys(path: Path, assignments: list[str], unset: Sequence[str] = ()) -> list[str]:
    """Writes `key=value` pairs into a study.toml, keeping its comments, and returns what changed, one line each.

    The study file stays the one truth about a run folder: a key set on the command line is set for every later
    stage too. Values are TOML; a bare word is taken as a string. Nothing is written where the result is no study.

    Args:
        path: The study.toml.
        assignments: "KEY=VALUE" each.
        unset: Keys that are taken out first, and so have their defaults again.

    Raises:
        StudyError: An assignment has no `=`, or the study that results is not allowed.
    """
    if not assignments and not unset:
        return []
    read_study(path)
    text, changes = changed_text(study_text(path), assignments, unset, where=path)
    if changes:
        write_study(path, text.encode())
    return changes


def changed_text(text: str, assignments: Sequence[str], unset: Sequence[str], where: object) -> tuple[str, list[str]]:
    """Returns the text of a study with keys taken out and others set, and what changed; raises as `set_keys` does."""
    keys = {assignment.partition("=")[0].strip() for assignment in assignments}
    if both := sorted(keys & set(unset)):
        raise StudyError(f"'{both[0]}' is to be set and to be unset", where="--set, --unset", expected="one of them")
    text, taken_out = _without_keys(text, unset, where)
    text, changes = with_keys(text, list(assignments), where)
    return text, [*taken_out, *changes]


def write_study(path: Path, content: bytes) -> None:
    """Writes a study.toml as a whole; raises StorageError where the disk refuses."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            beside.write_bytes(content)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def with_keys(text: str, assignments: list[str], where: object, option: str = "--set") -> tuple[str, list[str]]:
    """Returns the text of a study with `key=value` pairs set, and what changed; raises as `set_keys` does.

    `option` is what the pairs were given by, for messages.
    """
    document = _document(text, where)
    changes = [change for assignment in assignments if (change := _assign(document, assignment))]
    changed = tomlkit.dumps(document)
    parse_study(changed, where=f"{where} after {option} {f' {option} '.join(assignments)}")
    return changed, changes


def _without_keys(text: str, keys: Sequence[str], where: object) -> tuple[str, list[str]]:
    document = _document(text, where)
    changes = [change for key in keys if (change := _take_out(document, key.strip()))]
    return tomlkit.dumps(document), changes


def _document(text: str, where: object) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except tomlkit.exceptions.TOMLKitError as err:
        raise StudyError(f"this is not TOML: {err}", where=where, todo="mend the line that the message names") from err


def _take_out(document: tomlkit.TOMLDocument, key: str) -> str:
    """Takes a key out, and says so; one that is not there has its default already.

    Raises:
        StudyError: No study has such a key, or this one no such modality.
    """
    *parents, last = key.split(".")
    if _is_encoder_option(document, parents, last):
        parents.append("options")
    table: Any = document
    for depth, parent in enumerate([*parents, last]):
        known = _fields_at(Study, tuple([*parents, last][:depth]))
        names = [] if known else list(table)
        if parent not in (known or names) and (known or parents[0] in ("modalities", "teachers")):
            near = did_you_mean(parent, known or names)
            raise StudyError(
                f"there is no key '{key}'{near}", where=f"--unset {key}", expected=", ".join(known or names)
            )
        if parent not in table:
            return f"{key} is not in the study: it has its default"
        before, inside, table = tomlkit.item(table[parent]), table, table[parent]
        if depth < len(parents) and not isinstance(table, dict):
            raise StudyError(f"--unset {key}: '{parent}' is a value, not a table")
    del inside[last]
    return f"{key} is unset (was {before.as_string().strip()})"


def _assign(document: tomlkit.TOMLDocument, assignment: str) -> str | None:
    key, equals, text = assignment.partition("=")
    key = key.strip()
    if not equals or not key:
        raise StudyError(f"--set '{assignment}' is not key=value", expected="for example --set distill.anchors=most")
    try:
        value = tomlkit.value(text.strip())
    except (tomlkit.exceptions.ParseError, ValueError):
        value = tomlkit.string(text.strip())
    table: Any = document
    *parents, last = key.split(".")
    if _is_encoder_option(document, parents, last):
        parents.append("options")
    for parent in parents:
        if parent not in table:
            table[parent] = tomlkit.inline_table() if isinstance(table, InlineTable) else tomlkit.table()
        table = table[parent]
        if not isinstance(table, dict):
            raise StudyError(f"--set {key}: '{parent}' is a value, not a table")
    before = tomlkit.item(table[last]) if last in table else None
    if before == value and type(before) is type(value):
        return None
    table[last] = value
    return f"{key} = {value.as_string()}" + (f" (was {before.as_string().strip()})" if before is not None else "")


def _is_encoder_option(document: tomlkit.TOMLDocument, parents: list[str], key: str) -> bool:
    """Whether a key of a modality is not a key of the section itself, but an option of its encoder."""
    if len(parents) != 2 or parents[0] != "modalities" or key in ModalitySection.model_fields:
        return False
    encoder = document.get("modalities", {}).get(parents[1], {}).get("encoder")
    return encoder in ENCODERS.names() and key in ENCODERS.load(encoder).Config.model_fields


def _problem(model: type[BaseModel], location: tuple[int | str, ...], error: Any) -> str:
    path = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        return f"{path}: unknown key{did_you_mean(str(location[-1]), known)} (known here: {', '.join(known)})"
    if error["type"] == "missing":
        return f"{path}: required, and missing"
    return f"{path}: received {error['input']!r}: {error['msg'].removeprefix('Value error, ')}"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[str(part)].annotation
        else:
            # dict[Name, Section]: the part is a name that the user chose; its value is the section.
            current = get_args(current)[-1]
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []
