"""Cost: time and size of extraction, by a trial on a few samples with the real encoder."""

from pathlib import Path

import numpy as np

from mtpkd_cli.artifacts.quality import mean_share
from mtpkd_cli.checks import CheckResult
from mtpkd_cli.checks.media import Modality
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.encoders.running import encode_samples, samples_of
from mtpkd_cli.errors import MtpkdError

_BYTES = 4  # float32


def look_at_cost(root: Path, modality: Modality, extract: ExtractSection, trial: int) -> CheckResult:
    """Encodes some samples, far apart in the table, and reckons what all of them take.

    Args:
        root: The corpus folder.
        modality: The modality.
        extract: Workers and their limits.
        trial: How many samples to encode, >= 1; the first also loads the libraries and is left out of the time.
    """
    there = modality.table[modality.table["media"] != ""]
    chosen = there.iloc[np.unique(np.linspace(0, len(there) - 1, min(trial + 1, len(there))).astype(int))]
    try:
        encoding = encode_samples(
            samples_of(chosen),
            modality.encoder,
            modality.options,
            root=root,
            workers=min(1, extract.workers),
            limits=extract.limits,
            unmeasured="keep",
        )
    except MtpkdError as err:
        return CheckResult(
            f"cost {modality.name}", "unknown: the encoder cannot run here", [f"{err.what}: {err.where}"]
        )
    done = list(encoding)
    problems = [f"sample {one.sample.sample_id}: {one.failure.error.splitlines()[0]}" for one in done if one.failure]
    judged = [(one.sample.sample_id, one.quality) for one in done if one.quality is not None]
    notes = [f"sample {sample}: {text}" for sample, quality in judged if (text := quality.reason or quality.doubt)]
    if judged and all(quality.refused for _, quality in judged):
        problems.append(
            f"nothing was measured in any of the {len(judged)} samples that were tried: {judged[0][1].lacks}"
        )
    read = [(one.features, one.seconds) for one in done if one.features]
    if not read:
        return CheckResult(f"cost {modality.name}", "unknown: no sample could be encoded", problems)
    steps, size = float(np.mean([len(f.values) for f, _ in read])), read[0][0].values.shape[1]
    seconds = float(np.mean([s for _, s in read[1:] or read]))
    total_s, total = seconds * len(there) / max(1, extract.workers), steps * size * _BYTES * len(there)
    summary = (
        f"{len(there)} samples of about {steps:.3g} steps of {size} features: {_size(total)}, "
        f"{_duration(total_s)} with {max(1, extract.workers)} workers ({seconds:.2g} s each)"
    )
    facts = {
        "samples": len(there),
        "steps": steps,
        "features": size,
        "bytes": round(total),
        "seconds": float(f"{total_s:.3g}"),
    }
    mean = mean_share(quality for _, quality in judged)
    facts |= {"tried": len(judged), "quality": None if mean is None else round(mean, 3)}
    return CheckResult(f"cost {modality.name}", summary, problems, notes, facts)


def _size(n_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
