"""The guide: pages of Markdown for what the README is too short for; `mtpkd guide TOPIC` shows one."""

from pathlib import Path

from mtpkd_cli.errors import StudyError, did_you_mean


def topics() -> dict[str, str]:
    """Topic -> its title, the first line of its page."""
    return {path.stem: _text(path).splitlines()[0].lstrip("# ") for path in sorted(Path(__file__).parent.glob("*.md"))}


def page(topic: str) -> str:
    """The Markdown of a page; raises StudyError where there is no such topic."""
    if topic not in (known := topics()):
        near = did_you_mean(topic, known)
        raise StudyError(f"the guide has no page '{topic}'{near}", where="mtpkd guide", expected=", ".join(known))
    return _text(Path(__file__).with_name(f"{topic}.md"))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
