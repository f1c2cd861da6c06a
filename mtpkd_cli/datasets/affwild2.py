"""Aff-Wild2 (ABAW): valence and arousal, or eight expressions, of every frame of videos in the wild.

Reads the frame labels of the training and validation set, raw videos (`batch1` to `batch3`) and crops
(`cropped_aligned`), whichever are there. Gives one sample per window: its targets are the means over the frames that
count, its expression that of most of them; a window in which no frame counts has no label. Subject is the raw video, so
that two people in one video are never parted. `frames` gives the labels of single frames, by which the evaluation
scores.

References:
    Kollias and Zafeiriou, "Expression, Affect, Action Unit Recognition: Aff-Wild2, Multi-Task Learning and ArcFace",
    BMVC 2019.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from mtpkd_cli.config import Options
from mtpkd_cli.datasets import is_labelled
from mtpkd_cli.datasets._affwild2_labels import EXPRESSIONS, TARGETS, VideoLabels, read_labels
from mtpkd_cli.datasets._affwild2_media import crop_numbers, raw_video_of, raw_videos, shared_name
from mtpkd_cli.datasets._frame_windows import mean_targets, most_common_class, windows
from mtpkd_cli.datasets._media_cells import MediaFolder
from mtpkd_cli.errors import DataError, did_you_mean
from mtpkd_cli.media.wide_tables import numbers, one_form, read_columns


class Config(Options):
    """Options of the Aff-Wild2 reader."""

    challenge: Literal["VA", "EXPR"] = Field("VA", description="Valence and arousal, or expressions.")
    annotations: str = Field("", description="Folder of VA_... and EXPR_..., relative to the root; empty = the root.")
    crops: str = Field("cropped_aligned", min_length=1, description="Folder of the crops, relative to the root.")
    window_s: float = Field(2.0, gt=0, description="Length of a window in seconds.")
    hop_s: float = Field(1.0, gt=0, description="Time from one window's start to the next; at most window_s.")
    rate_hz: float = Field(30.0, gt=0, le=240, description="Frames per second; crops are counted at this rate.")
    rates: str = Field("", description="Table with columns video and rate_hz, for raw videos of another rate.")
    expressions: Annotated[list[str], Field(min_length=2)] = Field(
        list(EXPRESSIONS), description="Expressions to tell apart, in class order; frames of others do not count."
    )
    separate_people: bool = Field(False, description="Count _left and _right of one video as two subjects.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.hop_s > self.window_s:
            raise ValueError(
                f"hop_s = {self.hop_s:g} is longer than window_s = {self.window_s:g}: frames would be lost"
            )
        if unknown := [name for name in self.expressions if name not in EXPRESSIONS]:
            raise ValueError(f"'{unknown[0]}' is no expression{did_you_mean(unknown[0], EXPRESSIONS)}")
        if len(set(self.expressions)) < len(self.expressions):
            raise ValueError(f"an expression is listed twice: {', '.join(self.expressions)}")
        return self


def classes(_root: Path, config: Config) -> tuple[str, ...]:
    """Names of the classes in index order, () for valence and arousal."""
    return tuple(config.expressions) if config.challenge == "EXPR" else ()


def samples(root: Path, config: Config) -> pd.DataFrame:
    """Lists the windows of all labelled videos; those without a frame that counts have no label.

    Returns:
        The samples table (see `mtpkd_cli.datasets`) with split, first_frame and last_frame, and those of media_crops
        and media_video that the corpus has; "" where this window has no crop, or this video is not there.

    Raises:
        DataError: Labels are missing or wrong, or there are neither crops nor raw videos.
    """
    root = Path(root)
    labelled, raw = _labels(root, config), raw_videos(root)
    has_crops = (root / config.crops).is_dir()
    if not raw and not has_crops:
        raise DataError(
            "there are no media",
            where=root,
            expected=f"raw videos in batch1 to batch3, or {config.crops}/<video>/00001.jpg",
            todo="point data.root to the folder that holds them, or correct data.options.crops",
        )
    rates, folder = _rates(root, config), MediaFolder(root)
    tables = []
    for labels in labelled:
        table = _windows(labels, rates.get(shared_name(labels.video), config.rate_hz), config)
        if has_crops:
            crops = folder.as_stored(f"{config.crops}/{labels.video}")
            there = crop_numbers(root / crops)
            first, last = (table[name].to_numpy() for name in ("first_frame", "last_frame"))
            any_crop = np.searchsorted(there, last, side="right") > np.searchsorted(there, first)
            table["media_crops"] = np.where(any_crop, crops, "")
        if raw:
            table["media_video"] = raw_video_of(labels.video, raw)
        tables.append(table)
    result = pd.concat(tables, ignore_index=True)
    if not is_labelled(result).any():
        raise DataError("no frame has a label that counts", where=root, todo="look at the labels, or data.options")
    return result.sort_values("sample_id", ignore_index=True)


def frames(root: Path, config: Config) -> pd.DataFrame:
    """The labels of all frames.

    Returns:
        Columns recording (str), frame (int32, from 1), valid (bool), and label (int64, -1 where not valid) or
        target_valence and target_arousal (float32, NaN where not valid), sorted by recording and frame.

    Raises:
        DataError: Labels are missing or wrong.
    """
    tables = []
    for labels in _labels(Path(root), config):
        table = pd.DataFrame({"recording": labels.video, "frame": np.arange(1, len(labels.values) + 1, dtype=np.int32)})
        table["valid"] = ~np.isnan(labels.values).any(axis=1)
        if config.challenge == "EXPR":
            table["label"] = _indices(labels)
        else:
            table[[f"target_{name}" for name in TARGETS]] = labels.values.astype(np.float32)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _labels(root: Path, config: Config) -> list[VideoLabels]:
    """Labels of all videos; expressions as indices in the chosen ones, NaN for the others."""
    labelled = read_labels(root / config.annotations, config.challenge)
    if config.challenge == "VA":
        return labelled
    # The last entry stands for frames that do not count.
    chosen = [config.expressions.index(name) if name in config.expressions else np.nan for name in EXPRESSIONS]
    index = np.array([*chosen, np.nan])
    return [
        replace(labels, values=index[np.nan_to_num(labels.values, nan=len(EXPRESSIONS)).astype(int)])
        for labels in labelled
    ]


def _windows(labels: VideoLabels, rate_hz: float, config: Config) -> pd.DataFrame:
    """The windows of one video, without its media."""
    length, hop = (max(1, round(seconds * rate_hz)) for seconds in (config.window_s, config.hop_s))
    spans = windows(len(labels.values), length, hop)
    if config.challenge == "VA":
        outcomes = pd.DataFrame(mean_targets(labels.values, spans), columns=[f"target_{name}" for name in TARGETS])
    else:
        outcomes = pd.DataFrame({"label": most_common_class(_indices(labels), spans, len(config.expressions))})
    table = pd.DataFrame({"sample_id": [f"{labels.video}-{first:06d}" for first in spans[:, 0]]})
    table["subject"] = labels.video if config.separate_people else shared_name(labels.video)
    table["recording"] = labels.video
    table["start_s"], table["end_s"] = (spans[:, 0] - 1) / rate_hz, spans[:, 1] / rate_hz
    if config.rates:
        # Crops are numbered images without a rate: they are counted at one rate in every video.
        table["start_s_crops"], table["end_s_crops"] = (spans[:, 0] - 1) / config.rate_hz, spans[:, 1] / config.rate_hz
    table["split"] = labels.side
    table["first_frame"], table["last_frame"] = spans.T
    return pd.concat([table, outcomes], axis=1)


def _indices(labels: VideoLabels) -> np.ndarray:
    """(F,) int64 class of each frame, -1 where it does not count."""
    return np.nan_to_num(labels.values[:, 0], nan=-1).astype(np.int64)


def _rates(root: Path, config: Config) -> dict[str, float]:
    """Raw video -> frames per second, of those that the table of rates names."""
    if not config.rates:
        return {}
    path = root / config.rates
    table = read_columns(path, ["video", "rate_hz"], text=["video"])
    values = numbers(table[["rate_hz"]], path)[:, 0]
    if not (values > 0).all():
        raise DataError("a rate is not above 0", where=path, expected="frames per second, e.g. 29.97")
    videos = table["video"].fillna("").map(one_form)
    if twice := sorted(set(videos[videos.duplicated()])):
        raise DataError(f"video '{twice[0]}' has two rates", where=path, expected="one row per video")
    return dict(zip(videos, values.tolist(), strict=True))
