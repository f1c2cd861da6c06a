"""Which library read a sample's medium: readers say it, extraction asks after each sample.

A process reads one sample at a time, so the process is the place to keep it.
"""

_used: list[str] = []


def say_reader(name: str) -> None:
    """Notes that a library has given content of the medium that is being read."""
    if name not in _used:
        _used.append(name)


def readers_used() -> str:
    """Returns the libraries since it was last asked, joined by "+" in the order of their use, and forgets them."""
    names = "+".join(_used)
    _used.clear()
    return names
