"""A run folder from a stranger is data: nothing in it is run, whatever it is called and whatever it holds."""

import ast
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mtpkd_cli
from mtpkd_cli.errors import MtpkdError
from mtpkd_cli.pipeline import Choice

FILES = sorted(Path(mtpkd_cli.__file__).parent.rglob("*.py"))
# Messages between this program's own processes, which no file and no other program can write.
BETWEEN_OWN_PROCESSES = {"media/pool.py", "media/_worker.py"}
RUNS_CODE = {"eval", "exec", "compile", "__import__"}


class Bomb:
    """What a pickle of this does when it is read: it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mknod, (str(self.path),)


def _name(node: ast.Call) -> str:
    return ast.unparse(node.func)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_file_is_read_by_a_format_that_holds_code(path: Path) -> None:
    inside = path.relative_to(Path(mtpkd_cli.__file__).parent).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            if names == {"pickle", "UnpicklingError"}:
                continue  # what torch raises where weights are no plain tensors
            assert not names & {"joblib", "shelve", "dill", "cloudpickle", "marshal", "yaml"}
            assert "pickle" not in names or inside in BETWEEN_OWN_PROCESSES
        if isinstance(node, ast.Call):
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert _name(node) not in RUNS_CODE
            assert given.get("allow_pickle", "False") == "False"
            assert given.get("shell", "False") == "False"
            assert given.get("trust_remote_code", "False") == "False"
            if _name(node) == "torch.load":
                assert given.get("weights_only") == "True"


@pytest.mark.parametrize(
    "key",
    [
        'data.adapter="../evil"',
        'data.adapter="os"',
        'modalities.eda.encoder="/tmp/evil"',
        'distill.methods=["student-only", "../../evil"]',
        'study.name="../evil"',
        'modalities."../evil".role="privileged"',
    ],
)
def test_a_name_is_never_a_path(tiny: Any, mtpkd: Callable[..., Any], key: str) -> None:
    done = mtpkd("status", tiny.run.root, "--json")
    assert done.returncode == 0
    section, _, value = key.partition("=")
    text = tiny.run.study.read_text()
    head, last = section.rsplit(".", 1)
    lines = [line for line in text.splitlines() if not (line.startswith(f"{last} ") and last != "role")]
    found = lines.index(f"[{head}]") if f"[{head}]" in lines else -1
    lines = [*lines[: found + 1], f"{last} = {value}", *lines[found + 1 :]] if found >= 0 else [
        *lines, f"[{head}]", f"{last} = {value}"
    ]  # fmt: skip
    tiny.run.study.write_text("\n".join(lines))
    done = mtpkd("evaluate", tiny.run.root)
    assert done.returncode == 2, done.stderr
    assert "evil" in done.stderr or "'os'" in done.stderr


def test_a_pickle_in_the_place_of_an_artifact_is_refused_and_not_run(tiny: Any, tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    bomb = pickle.dumps(Bomb(mark))
    pickle.loads(bomb)
    assert mark.exists()
    mark.unlink()
    for suffix in (".safetensors", ".parquet", ".json"):
        run = tiny.copy(tmp_path / suffix)
        artifacts = [path for path in run.run.root.rglob(f"*{suffix}") if path.name != "manifest.json"]
        assert len(artifacts) > 3
        for path in artifacts:
            path.write_bytes(bomb)
        for stage in ("align", "distill", "evaluate"):
            with pytest.raises(MtpkdError) as caught:
                run.do(stage, overwrite=True, choice=Choice(0, 0))
            assert caught.value.exit_code in (3, 4)
        assert not mark.exists()
