"""Environment variables that child processes inherit."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""How many threads the libraries of a process may use. They read it once, when they are loaded."""


@contextmanager
def inherited(variables: dict[str, str]) -> Iterator[None]:
    """Sets environment variables for child processes that begin meanwhile, and puts the old ones back."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
