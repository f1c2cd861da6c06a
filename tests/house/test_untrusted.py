"""A run folder from a stranger is data: nothing in it is run, whatever it is called and whatever it holds."""

import ast
import os
import pickle
from collections.abc import Callable, Iterator
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


def _formats_that_hold_code(node: ast.AST, inside: str) -> Iterator[str]:
    """What a piece of a file of the package does that could run what it reads."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
        if names == {"pickle", "UnpicklingError"}:
            return  # what torch raises where weights are no plain tensors
        refused = {"joblib", "shelve", "dill", "cloudpickle", "marshal", "yaml"}
        refused |= set() if inside in BETWEEN_OWN_PROCESSES else {"pickle"}
        yield from (f"imports {name}" for name in sorted(names & refused))
    if isinstance(node, ast.Call):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if _name(node) in RUNS_CODE:
            yield f"calls {_name(node)}"
        for keyword in ("allow_pickle", "shell", "trust_remote_code"):
            if given.get(keyword, "False") != "False":
                yield f"{keyword}={given[keyword]}"
        if _name(node) == "torch.load" and given.get("weights_only") != "True":
            yield "torch.load without weights_only=True"


def _wrong_in(source: str, inside: str) -> list[str]:
    return [
        f"{inside} line {getattr(node, 'lineno', 0)}: {wrong}"
        for node in ast.walk(ast.parse(source))
        for wrong in _formats_that_hold_code(node, inside)
    ]


def test_no_file_is_read_by_a_format_that_holds_code() -> None:
    wrong = []
    for path in FILES:
        inside = path.relative_to(Path(mtpkd_cli.__file__).parent).as_posix()
        wrong += _wrong_in(path.read_text(encoding="utf-8"), inside)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib",
        "eval(x)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(line, shell=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=trusted)",
        "torch.load(path)",
    ],
)
def test_each_of_these_formats_is_noticed(line: str) -> None:
    assert len(_wrong_in(line, "stages/extract.py")) == 1
    assert not _wrong_in("from pickle import UnpicklingError", "stages/extract.py")
    assert not _wrong_in("import pickle", "media/pool.py")


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
    header_at = lines.index(f"[{head}]") if f"[{head}]" in lines else -1
    lines = [*lines[: header_at + 1], f"{last} = {value}", *lines[header_at + 1 :]] if header_at >= 0 else [
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
