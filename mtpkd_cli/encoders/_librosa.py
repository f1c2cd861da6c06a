"""librosa with its compiled code in a folder for mtpkd alone, so that processes that start together do not break it.

librosa compiles some functions with numba when it is imported, which takes half a minute, and numba keeps the result on
disk. Two processes that compile at once can leave halves there that do not fit together, and every later process that
loads them dies of a segmentation fault (https://github.com/numba/numba/issues/10128): two workers, or an array job, on
a fresh installation. So a process compiles into a new folder and then gives it, by one rename, the name under which the
others look for it; nobody writes to a folder that has that name.
"""

import functools
import hashlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType

_CACHE_KEY = "NUMBA_CACHE_DIR"
# The modules of librosa that compile something on import and that encoders use, directly or not.
_COMPILING = ("librosa.util.utils", "librosa.core.audio", "librosa.core.pitch", "librosa.feature")


@functools.cache
def load_librosa() -> ModuleType:
    """Returns the module librosa; compiles what is not compiled yet."""
    shared = _root() / _state_of_compiler()
    if shared.is_dir():
        _import_with_cache(shared)
    else:
        private = _new_folder(shared.parent)
        try:
            _import_with_cache(private)
            with suppress(OSError):  # another process was first, or there is no place that keeps it
                private.rename(shared)
        finally:
            shutil.rmtree(private, ignore_errors=True)
    return importlib.import_module("librosa")


def prepare(say: Callable[[str], None]) -> None:
    """Compiles, where no process has yet on this machine, before workers start: their time belongs to the samples."""
    if not (_root() / _state_of_compiler()).is_dir():
        say("librosa is compiled, once on this machine; that takes about half a minute")
        load_librosa()


def _root() -> Path:
    """Where NUMBA_CACHE_DIR points, else the user's cache folder (XDG base directory specification)."""
    if os.environ.get(_CACHE_KEY):
        return Path(os.environ[_CACHE_KEY])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "mtpkd" / "compiled"


def _new_folder(root: Path) -> Path:
    try:
        root.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="being-made-", dir=root))
    except OSError:  # it cannot be written: compiled for this process alone
        return Path(tempfile.mkdtemp(prefix="mtpkd-compiled-"))


def _state_of_compiler() -> str:
    """A name for all that compiled code depends on: processor, versions, and the very files of librosa."""
    import librosa.version
    import llvmlite.binding as llvm
    import numba

    sources = [Path(librosa.__file__).parent / "util" / "utils.py", Path(librosa.__file__).parent / "core" / "pitch.py"]
    state = [
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
        os.environ.get("NUMBA_CPU_NAME", ""),
        numba.__version__,
        librosa.version.version,
        *(f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}" for path in sources),
    ]
    return f"librosa-{hashlib.sha256(repr(state).encode()).hexdigest()[:16]}"


def _import_with_cache(folder: Path) -> None:
    """Numba asks where to keep compiled code at the time when a function is declared."""
    import numba

    before = os.environ.get(_CACHE_KEY)
    os.environ[_CACHE_KEY] = str(folder)
    numba.config.reload_config()
    try:
        for name in _COMPILING:
            importlib.import_module(name)
    finally:
        os.environ.pop(_CACHE_KEY)
        if before is not None:
            os.environ[_CACHE_KEY] = before
        numba.config.reload_config()
