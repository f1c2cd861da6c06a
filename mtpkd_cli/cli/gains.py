"""The table of differences on stdout: against the reference and the best control, with p, and who loses."""

from typing import Any

from rich.table import Table

from mtpkd_cli.cli.show import interval_text, wide_console


def print_gains(summary: dict[str, Any]) -> None:
    """One row per method that differs from the reference, in the headline metric; how to read it below.

    Args:
        summary: The content of metrics.json.
    """
    headline, repetitions = summary["headline"], len(summary["repetitions"])
    about = summary["metrics"][headline]
    rows = {method: row for method, row in summary["methods"].items() if row["differences"].get(headline)}
    if not rows:
        return
    control = next((row["over_control"][headline]["from"] for row in rows.values() if row["over_control"]), None)
    columns = [f"minus {summary['reference']}", "p", "p Holm"]
    columns += [f"minus {control}, the best control", "p Holm"] if control else []
    placebos = any(row.get("over_placebo") for row in rows.values())
    columns += ["minus its placebo", "p Holm"] if placebos else []
    columns.append("subjects who lose")
    guarded = any("fell_back" in row for row in rows.values())
    columns += ["guard fell back", "kept, yet worse"] if guarded else []
    title = f"{about['label']}{'' if about['greater_is_better'] else ' (lower is better)'}: differences"
    table = Table("method", *columns, title=title, title_justify="left")
    for method, row in rows.items():
        versus = row["differences"][headline]
        cells = [interval_text(versus, " ", sign="+"), p_text(versus["p"]), p_text(versus["p_holm"])]
        for key in [*(["over_control"] if control else []), *(["over_placebo"] if placebos else [])]:
            over = row.get(key, {}).get(headline)
            cells += [interval_text(over, " ", sign="+"), p_text(over["p_holm"]) if over else "-"]
        lose = row.get("transfer", {}).get("lose")
        cells.append("-" if lose is None else f"{100 * lose:.0f} % of {row['transfer']['subjects']}")
        if guarded and "transfer" in row:
            kept = repetitions - row["fell_back"]
            cells += [f"{row['fell_back']}/{repetitions}", f"{row['kept_and_worse']}/{kept}"]
        table.add_row(method, *cells, *["-"] * (len(columns) - len(cells)))
    wide_console().print(table)
    print(f"p: {summary['test']}.")


def p_text(p: float | None) -> str:
    """A p value to three digits, never as 0; "-" where there is none."""
    if p is None:
        return "-"
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")
