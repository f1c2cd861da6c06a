"""The house keeps its own rules: imports run downhill, files stay small, light commands stay light."""

import ast
import inspect
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import mtpkd_cli
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.methods import load_method
from mtpkd_cli.registry import DATASETS, ENCODERS, METRICS, Registry

PACKAGE = Path(mtpkd_cli.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
STOREYS = (
    {"errors"},
    {"interruption", "storage", "environment"},
    {"registry"},
    {"config"},
    {"artifacts"},
    {"media", "models", "ot", "metrics"},
    {"datasets", "encoders", "methods"},
    {"training"},
    {"evaluation"},
    {"stages"},
    {"pipeline"},
    {"checks", "deploy", "report", "cluster", "guide"},
    {"library"},
    {"cli"},
)
STOREY = {room: number for number, rooms in enumerate(STOREYS) for room in rooms}
MEMBERS = [(registry, name) for registry in (DATASETS, ENCODERS, METHODS, METRICS) for name in registry.names()]
HEAVY = ("torch", "librosa", "decord", "av", "cv2", "neurokit2", "sklearn", "matplotlib", "scipy")


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything of the house that a file imports, at its top or inside functions."""
    for node in ast.walk(_syntax(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)} line {node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "mtpkd_cli")


def test_every_room_has_a_storey() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES} - {"__init__", "__main__"}
    assert rooms <= set(STOREY)


def test_imports_run_downhill_and_siblings_never_import_each_other() -> None:
    wrong = []
    for path in FILES:
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for line, name in _imports(path) if room in STOREY else []:
            imported = name.split(".")[1]
            if imported in STOREY and imported != room and STOREY[imported] >= STOREY[room]:
                wrong.append(f"{_name(path)} line {line}: {room} imports {imported}")
            if imported not in STOREY and imported != "__version__":
                wrong.append(f"{_name(path)} line {line}: {name} is in no storey")
    assert not wrong, "\n".join(wrong)


def test_stages_meet_on_disk_only() -> None:
    stages = {path.stem for path in (PACKAGE / "stages").glob("*.py")} - {"__init__"}
    imports = [(path, name.split(".")) for path in (PACKAGE / "stages").glob("*.py") for _, name in _imports(path)]
    assert len(stages) >= 6
    assert not [(p.name, n) for p, n in imports if n[1] == "stages" and len(n) > 2 and n[2] in stages]


def test_members_of_a_list_never_import_each_other() -> None:
    for registry in (DATASETS, ENCODERS, METHODS, METRICS):
        members = {name.replace("-", "_") for name in registry.names()}
        folder = PACKAGE / registry.package.split(".")[1]
        for stem in members:
            for line, name in _imports(folder / f"{stem}.py"):
                parts = name.split(".")
                foreign = f"mtpkd_cli.{parts[1]}" == registry.package and len(parts) > 2 and parts[2] in members
                assert not foreign, f"{folder.name}/{stem}.py line {line}: imports {name}"


def _lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function; a signature with a line per argument and a docstring do not make it long."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_files_and_functions_stay_small() -> None:
    wrong = []
    for path in FILES:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > 300:
            wrong.append(f"{_name(path)} has {lines} lines")
        for node in ast.walk(_syntax(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _lines_of_code(node) > 60:
                wrong.append(f"{_name(path)} line {node.lineno}: {node.name} has {_lines_of_code(node)} lines")
    assert not wrong, "\n".join(wrong)


def test_files_are_named_for_what_they_hold_and_say_so() -> None:
    vague, wrong = {"utils", "util", "helpers", "helper", "common", "misc"}, []
    for path in FILES:
        if vague & set(path.stem.strip("_").split("_")):
            wrong.append(f"{_name(path)}: the name does not say what it holds")
        if not (ast.get_docstring(_syntax(path)) or "").strip():
            wrong.append(f"{_name(path)}: no docstring")
    assert not wrong, "\n".join(wrong)


def test_public_functions_and_classes_have_docstrings() -> None:
    missing = [
        f"{_name(path)}: {node.name}"
        for path in FILES
        for node in _syntax(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not missing


@pytest.mark.parametrize(("registry", "name"), MEMBERS, ids=lambda value: getattr(value, "kind", value))
def test_a_member_says_what_it_is_and_keeps_its_contract(registry: Registry, name: str) -> None:
    contracts = {
        "dataset": ("Config", "samples", "classes"),
        "encoder": ("VERSION", "Config", "encode"),
        "method": (),  # of three kinds, see below
        "metric": ("TASK", "GREATER_IS_BETTER", "LABEL", "UNIT", "metric"),
    }
    first = registry.help(name)
    assert 10 <= len(first) <= 120
    assert first.endswith(".")
    module = registry.load(name)
    assert not [wanted for wanted in contracts[registry.kind] if not hasattr(module, wanted)]
    if registry is METHODS and not METHODS.constant(name, "IMPUTE"):
        method = load_method(name)
        assert method.tnet in ("fitted", "untrained")
        _, *options = inspect.signature(method.terms).parameters.values()
        assert METHODS.options(name) == {option.name: option.default for option in options}
    if registry is METRICS:
        assert METRICS.constant(name, "TASK") == module.TASK in ("classification", "regression", "ordinal")


def test_every_file_that_is_no_code_is_packaged() -> None:
    project = PACKAGE.parent / "pyproject.toml"
    if not project.exists():
        pytest.skip("installed without its project file")
    patterns = tomllib.loads(project.read_text())["tool"]["setuptools"]["package-data"]["mtpkd_cli"]
    packaged = {path for pattern in patterns for path in PACKAGE.glob(pattern)}
    others = {p for p in PACKAGE.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc", ".so")}
    assert others <= packaged
    for pattern in patterns:
        assert list(PACKAGE.glob(pattern)), f"{pattern} matches nothing"


def _loaded(*arguments: str) -> set[str]:
    """Top-level modules that the command line has loaded when it ends."""
    code = (
        "import atexit, sys; sys.argv = ['mtpkd', *sys.argv[1:]]\n"
        "atexit.register(lambda: print('LOADED', *{m.split('.')[0] for m in sys.modules}, file=sys.stderr))\n"
        "from mtpkd_cli.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split("LOADED ")[1].split())


def test_light_commands_load_no_heavy_library(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    for folder, suffix in (("video", ".mp4"), ("biosignals_filtered", "_bio.csv")):
        for subject in ("071309_w_21", "071313_m_41"):
            (corpus / folder / subject).mkdir(parents=True)
            for level in ("BL1", "PA4"):
                (corpus / folder / subject / f"{subject}-{level}-001{suffix}").touch()
    run = str(tmp_path / "run")
    init = ["init", run, "--preset", "sample", "--data", str(corpus)]
    for arguments in (
        ["--help"],
        ["--version"],
        ["methods"],
        ["methods", "kd-placebo"],
        ["presets"],
        init,
        ["status", run],
        ["status", run, "--json"],
    ):
        assert not _loaded(*arguments) & set(HEAVY), arguments


def test_help_costs_less_than_half_a_second_of_processor_time() -> None:
    def cpu_s() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-m", "mtpkd_cli", "--help"], capture_output=True, timeout=60, check=True)
        after = os.times()
        return after.children_user - before.children_user + after.children_system - before.children_system

    cpu_s()  # compiles the byte code
    # Busy neighbours make processor time longer too, never shorter: the least of several is the program's own.
    assert min(cpu_s() for _ in range(7)) < 0.5
