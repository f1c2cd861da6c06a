"""Records: what a JSON file of a run folder holds, as a type with one writer and one reader."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mtpkd_cli.artifacts.atomic import write_json
from mtpkd_cli.errors import ArtifactError

Kind = TypeVar("Kind", bound="Record")


class Record(BaseModel):
    """Plain data of a file, with a type. Keys of a later version of the program are kept, and do no harm."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    def plain(self) -> dict[str, Any]:
        """As the file holds it: what was not given is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def write_record(path: Path, record: Record) -> Path:
    """Writes a record; returns the file."""
    write_json(path, record.plain())
    return path


def read_record(path: Path, kind: type[Kind], what: str, todo: str) -> Kind:
    """Reads a record.

    Args:
        what: What is missing where there is none, e.g. "there are no scores".
        todo: The command that makes it.

    Raises:
        ArtifactError: There is no file, or it holds something else, such as what an earlier version wrote.
    """
    try:
        return kind.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as err:
        keys = ", ".join(dict.fromkeys(".".join(map(str, one["loc"])) for one in err.errors()[:3]))
        raise ArtifactError(f"this is of an earlier version, or damaged: {keys}", where=path, todo=todo) from err
    except ValueError as err:
        raise ArtifactError(f"this is damaged, or no JSON: {err}", where=path, todo=todo) from err
    except OSError as err:
        raise ArtifactError(what, where=path, todo=todo) from err
