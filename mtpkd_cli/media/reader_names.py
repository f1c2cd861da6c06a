"""Names of the libraries that read a sample's medium: readers note them, extraction takes them after each sample.

A process reads one sample at a time, so the process is the place to keep it.
"""

_names: list[str] = []


def note_reader(name: str) -> None:
    """Notes that a library has given content of the medium that is being read."""
    if name not in _names:
        _names.append(name)


def take_reader_names() -> str:
    """Returns the libraries since it was last asked, joined by "+" in the order of their use, and forgets them."""
    joined = "+".join(_names)
    _names.clear()
    return joined
