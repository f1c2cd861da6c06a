"""Networks beside scikit-learn's models of the same features, as `evaluate --classical` has measured them."""

from typing import Any

from mtpkd_cli.pipeline.measured import classical_file, made_of, read_measured
from mtpkd_cli.report.gains import p_text
from mtpkd_cli.report.results import Results
from mtpkd_cli.report.scores import scale_in


def classical_table(results: Results) -> dict[str, Any]:
    """Heads and rows of text; or "absent", how to have them."""
    content = read_measured(classical_file(results.run))
    if content is None:
        return {"absent": "Not measured: mtpkd evaluate RUN --classical does it."}
    if content["made_of"] != made_of(results.run, results.study, content["metric"]):
        return {
            "absent": "Measured of other networks or data than these: mtpkd evaluate RUN --classical does it again."
        }
    scale = scale_in(results.summary, content["metric"])
    rows = []
    for row in content["rows"]:
        cells = [
            {
                "score": scale.number(rival["score"]["value"]),
                "difference": scale.with_interval(rival["difference"], signed=True),
                "p": p_text(rival["difference"]["p"]),
                "beyond": (rival["difference"]["p"] or 1.0) < 0.05,
            }
            for rival in row["rivals"].values()
        ]
        score = scale.with_interval(row["score"])
        rows.append({"name": row["network"], "sees": ", ".join(row["modalities"]), "score": score, "cells": cells})
    label = f"{content['label']}{f' ({scale.unit})' if scale.unit else ''}"
    return {"absent": "", "label": label, "models": list(content["rows"][0]["rivals"]), "rows": rows}
