"""Frame rates: labels of single frames and the pictures that they belong to are counted at one rate."""

import numpy as np
import pandas as pd

from mtpkd_cli.checks import CheckResult
from mtpkd_cli.checks.media import Modality
from mtpkd_cli.media.probe import Probe

# By this much may the end of a recording be off.
DRIFT_S = 0.5


def look_at_frame_rates(samples: pd.DataFrame, modality: Modality, probes: dict[str, Probe]) -> CheckResult:
    """Compares the rate that labels were counted at with that of the pictures.

    Args:
        samples: The samples table, with first_frame and last_frame.
        modality: One that reads pictures; its table has start_s and end_s.
        probes: Path -> rates and length of its medium.
    """
    table = modality.table.assign(frames=samples["last_frame"] - samples["first_frame"] + 1)
    table = table[table["media"] != ""]
    counted = table["frames"] / (table["end_s"] - table["start_s"])
    problems = []
    for path, rows in table.groupby("media"):
        medium = probes.get(str(path))
        if medium is None or not medium.picture_hz:
            continue
        rate, end_s = float(np.median(counted[rows.index])), float(rows["end_s"].max())
        drift = abs(end_s * (rate / medium.picture_hz - 1))
        if drift > DRIFT_S:
            problems.append(
                f"{path}: {medium.picture_hz:g} pictures per second, its labels are counted at {rate:g}: "
                f"{drift:.1f} s apart at the end"
            )
    return CheckResult(f"frame rates {modality.name}", f"{table['media'].nunique()} recordings", problems)
