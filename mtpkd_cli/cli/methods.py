"""`mtpkd methods`: what each method adds to the loss, where it is from, and its options. Loads no torch."""

import re
import shutil
import textwrap

from mtpkd_cli.cli.console import print_text
from mtpkd_cli.config.methods import METHODS

_MOST_WIDTH = 120
# A title in quotes and "et al." end no sentence, nor does a point within a number.
_SENTENCE = re.compile(r'(?:"[^"]*"|al\.|[^.;:"]|[.;:](?=\S))*')
_INITIAL = {"fitted": "fitted to privileged embeddings", "untrained": "untrained, so no privileged embedding is known"}


def list_methods() -> None:
    """Prints every method in a few lines: help, formula, source, options with their defaults."""
    width = min(_MOST_WIDTH, shutil.get_terminal_size((_MOST_WIDTH, 24)).columns)
    documents = {name: METHODS.document(name) for name in METHODS.names()}
    for name, text in (documents | {"NAME-placebo": METHODS.of_placebos()}).items():
        lines = [text.splitlines()[0], _first_sentence(text, "L = "), _first_sentence(text, "Source: ")]
        if name in documents:
            lines.append(", ".join(f"{key} = {value!r}" for key, value in METHODS.options(name).items()))
            lines.append(_unlabelled_in_words(name))
            lines.append(_released_in_words(name))
        else:
            lines.append(f"NAME is {', '.join(METHODS.with_placebo())}; options are those of NAME")
        print(name)
        for line in filter(None, lines):
            print(textwrap.fill(line, width, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False))


def show_method(name: str) -> None:
    """Prints all that a method's file says of it, and its options.

    Raises:
        StudyError: There is no such method; the message names the nearest.
    """
    METHODS.check(name, where="mtpkd methods")
    print_text(f"{name}\n\n{METHODS.document(name)}\n")
    if METHODS.constant(name, "IMPUTE"):
        print_text("Nothing is trained: it is the joint teacher.")
    else:
        print_text(f"The student's T-Net starts {_INITIAL[str(METHODS.constant(name, 'TNET'))]}.")
    if guard := METHODS.constant(name, "GUARD"):
        print_text(f"With distill.guard = true, {guard} is kept where validation subjects clearly prefer it.")
    table = METHODS.method_of(name)
    print_text(f"Options (distill.KEY for all methods that have it, distill.method.{table}.KEY for {table}):")
    print("\n".join(f"  {key} = {value!r}" for key, value in METHODS.options(name).items()) or "  none")
    if unlabelled := _unlabelled_in_words(name):
        print_text(f"{unlabelled}.")
    if released := _released_in_words(name):
        sentence = f"{released}. Keys for all methods do not reach them, and other values are refused."
        print_text(textwrap.fill(sentence, _MOST_WIDTH))


def _unlabelled_in_words(name: str) -> str:
    """Which options have another default where recordings without a label teach; empty where none has."""
    changed = METHODS.with_unlabelled(name)
    values = ", ".join(f"{key} = {value!r}" for key, value in changed.items())
    return f"Where recordings without a label teach: {values}" if values else ""


def _released_in_words(name: str) -> str:
    """Which options of a method no study changes; empty where all are open."""
    released = METHODS.released(name)
    fixed = [f"{key} = {values[0]!r}" for key, values in released.items() if len(values) == 1]
    some = [f"{key} is {' or '.join(map(repr, values))}" for key, values in released.items() if len(values) > 1]
    return f"As released, and fixed: {', '.join(fixed)}{''.join(f'; {one}' for one in some)}" if released else ""


def _first_sentence(text: str, start: str) -> str:
    """The sentence of a text that begins with `start`, as one line; empty where none does."""
    _, begins, rest = f"\n{text}".partition(f"\n{start}")
    if not begins:
        return ""
    paragraph = " ".join(rest.split("\n\n")[0].split())
    sentence = _SENTENCE.match(paragraph)
    return start + (sentence.group() if sentence else "")
