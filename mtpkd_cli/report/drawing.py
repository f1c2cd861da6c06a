"""How figures are drawn: one look, small panels that a phone can show, SVG that follows the page's colours.

A panel is drawn in the plain colours below. The file in figures/ keeps them; in the page each is replaced by a CSS
variable, so that the same drawing is legible in light and dark.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, RULE, PAPER = "#1f2428", "#5b6570", "#d5dae0", "#ffffff"
# Okabe and Ito's colours, told apart by colour-blind readers, darkened to 3:1 against white where they were too light.
SERIES = ("#0072b2", "#c85a00", "#007d5c", "#b0508a", "#2f8fc4", "#94780a", "#6d5fb5", "#7a7f85")
VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper"}
VARIABLES |= {colour: f"--series-{number}" for number, colour in enumerate(SERIES)}
WIDTH_IN = 3.6
MINUS = "\u2212"
PX_PER_IN = 110


@dataclass(frozen=True)
class Panel:
    """One drawing.

    Args:
        name: Stem of its file in figures/.
        svg: The whole SVG document.
        pdf: The drawing as a PDF file, for papers.
        inline: The drawing as an element of the page.
    """

    name: str
    svg: str
    pdf: bytes
    inline: Markup


@dataclass(frozen=True)
class Block:
    """Panels with one caption, or a sentence that says why there are none."""

    caption: str = ""
    panels: list[Panel] = field(default_factory=list)
    absent: str = ""


@contextmanager
def style() -> Iterator[None]:
    """Sets the look of all panels that are drawn and saved within."""
    settings: Any = {
        "font.size": 8, "axes.titlesize": 8.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
        "axes.labelsize": 8, "legend.fontsize": 7, "legend.frameon": False, "text.color": INK,
        "axes.titlecolor": INK, "axes.labelcolor": INK, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
        "xtick.color": MUTED, "ytick.color": MUTED, "axes.edgecolor": MUTED, "axes.spines.top": False,
        "axes.spines.right": False, "grid.color": RULE, "axes.axisbelow": True, "axes.facecolor": "none",
        "figure.facecolor": PAPER, "lines.linewidth": 1.6, "svg.fonttype": "none",
        "svg.image_inline": True, "pdf.fonttype": 42,
        # Class names are a stranger's text, no mathematics.
        "text.parse_math": False, "axes.unicode_minus": True, "figure.constrained_layout.use": True,
    }  # fmt: skip
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Text stays text in the SVG: what a font of this machine lacks, the reader's browser has.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield


def new_axes(title: str, height_in: float, width_in: float = WIDTH_IN) -> Axes:
    """Makes a figure of one pair of axes; the figure is `axes.figure`."""
    axes = Figure(figsize=(width_in, height_in)).add_subplot()
    axes.set_title(shortened(title, 46))
    return axes


def figure_of(axes: Axes) -> Figure:
    """The figure that `new_axes` made."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    return figure


def panel_of(axes: Axes, name: str, label: str) -> Panel:
    """Turns a drawing into SVG and PDF; equal content gives equal bytes.

    Args:
        name: Of the file; anything but letters, digits, - and _ is replaced.
        label: What a screen reader says.
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
    sink = StringIO()
    figure = figure_of(axes)
    # Laid out once, as saving does, the axes have other ticks than the layout made room for.
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    pages = BytesIO()
    figure.savefig(pages, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    svg = sink.getvalue()
    return Panel(name, svg, pages.getvalue(), _inline(svg, name, label))


def shortened(text: str, limit: int) -> str:
    """Cuts a stranger's long name, so that it does not take the panel's room."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _inline(svg: str, name: str, label: str) -> Markup:
    body = svg[svg.index("<svg") :]
    head_end = body.index(">")
    head, body = body[:head_end], body[head_end + 1 :]
    box = re.search(r'viewBox="([^"]+)"', head)
    view = box.group(1) if box else "0 0 1 1"
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    # Ids are unique within a document, and all drawings share the page's.
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}--", body)
    body = re.sub("|".join(VARIABLES), lambda match: f"var({VARIABLES[match.group()]})", body)
    width = float(view.split()[2]) / 72 * PX_PER_IN
    opening = f'<svg viewBox="{view}" role="img" aria-label="{escape(label)}" style="max-width:{width:.0f}px">'
    return Markup(opening + body)
