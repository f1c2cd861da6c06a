"""Whole corpora of about twenty samples in their own layouts, with real media: pictures, videos with sound, signals."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest

HEADERS = {"VA": "valence,arousal", "EXPR": "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"}
TOPS = {"VA": "VA_Estimation_Challenge", "EXPR": "EXPR_Recognition_Challenge"}
LEVELS = ("BL1", "PA1", "PA2", "PA3", "PA4")
TRIALS = (("BL1", 81), ("PA4", 7))
SIDE_PX, SOUND_HZ = 64, 16000


def pictures(n: int, seed: int) -> Iterator[np.ndarray]:
    """Frames (H, W, 3) uint8 with something like a face that moves."""
    rng = np.random.default_rng(seed)
    shade = int(rng.integers(120, 220))
    for i in range(n):
        frame = np.full((SIDE_PX, SIDE_PX, 3), 60, np.uint8)
        centre = (32 + round(3 * np.sin(i / 3 + seed)), 32)
        cv2.ellipse(frame, centre, (16, 22), 0, 0, 360, (shade, shade - 30, shade - 40), -1)
        cv2.circle(frame, (centre[0] - 6, 26), 3, (20, 20, 20), -1)
        cv2.circle(frame, (centre[0] + 6, 26), 3, (20, 20, 20), -1)
        yield frame


def write_video(path: Path, n: int, rate_hz: int, seed: int, sound: bool = True) -> None:
    """An mp4 or avi of n frames, with a tone and noise as its sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate_hz)
        stream.width = stream.height = SIDE_PX
        stream.pix_fmt = "yuv420p"
        codec = "mp2" if path.suffix == ".avi" else "aac"
        track = container.add_stream(codec, rate=SOUND_HZ, layout="mono") if sound else None
        for frame in pictures(n, seed):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
        if track is None:
            return
        t = np.arange(n * SOUND_HZ // rate_hz) / SOUND_HZ
        noise = np.random.default_rng(seed).normal(0, 0.02, len(t))
        wave = (0.3 * np.sin(2 * np.pi * (200 + 20 * seed) * t) + noise) * 32000
        for first in range(0, len(wave), 1024):
            piece = wave[first : first + 1024].astype(np.int16)[None]
            block = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = SOUND_HZ, first, Fraction(1, SOUND_HZ)
            container.mux(track.encode(block))
        container.mux(track.encode())


def write_images(folder: Path, numbers: list[int], seed: int, pattern: str) -> None:
    """Numbered jpg files, e.g. of pattern "{:05d}.jpg"."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in zip(numbers, pictures(len(numbers), seed), strict=True):
        cv2.imwrite(str(folder / pattern.format(number)), frame)


def write_biosignals(path: Path, n_rows: int, seed: int) -> None:
    """BioVid's table: microseconds, skin conductance, a heart that beats, three muscles; 512 Hz, tab separated."""
    rng, t = np.random.default_rng(seed), np.arange(n_rows) / 512
    beats = np.sin(2 * np.pi * (1.1 + 0.02 * (seed % 5)) * t) ** 31
    table = pd.DataFrame({"time": np.rint(t * 1e6).astype(int), "gsr": 2 + 0.1 * t + 0.01 * rng.normal(size=n_rows)})
    table["ecg"] = beats + 0.02 * rng.normal(size=n_rows)
    for name in ("emg_trapezius", "emg_corrugator", "emg_zygomaticus"):
        table[name] = rng.normal(size=n_rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.round(4).to_csv(path, sep="\t", index=False)


@pytest.fixture(scope="session")
def biovid_tree() -> Callable[..., Path]:
    """(root, images) -> BioVid of ten subjects with a window each of BL1 and PA4; as handed out, or as images."""

    def make(root: Path, images: bool = False) -> Path:
        subjects = [f"0713{i:02d}_{'wm'[i % 2]}_{21 + i}" for i in range(10)]
        names = [f"{subject}-{level}-{trial:03d}" for subject in subjects for level, trial in TRIALS]
        for seed, name in enumerate(names):
            subject, level, _ = name.split("-")
            number, n_rows = LEVELS.index(level), 2816 + seed % 3 - 1
            if images:
                write_images(root / str(number) / name, list(range(1, 76, 5)), seed, "img_{:05d}.jpg")
                write_biosignals(root / "physio" / str(number) / f"{name}_bio.csv", n_rows, seed)
            else:
                write_video(root / "video" / subject / f"{name}.mp4", 28, 5, seed, sound=False)
                write_biosignals(root / "biosignals_filtered" / subject / f"{name}_bio.csv", n_rows, seed)
        if not images:
            rows = [
                (f"{i}", n.split("-")[0], f"{LEVELS.index(n.split('-')[1])}", "x", "1", n) for i, n in enumerate(names)
            ]
            (root / "starting_point").mkdir()
            listing = root / "starting_point" / "samples.csv"
            listing.write_text("a\tb\tc\td\te\tf\n" + "".join("\t".join(row) + "\n" for row in rows))
        return root

    return make


@pytest.fixture(scope="session")
def table_tree() -> Callable[..., Path]:
    """root -> a corpus as a table of ten recordings of 4 s by ten people, two samples each; an official split."""

    def make(root: Path) -> Path:
        rows = []
        for i in range(10):
            write_video(root / "clips" / f"p{i}.mp4", 20, 5, i)
            t = np.arange(4 * 64) / 64
            signals = pd.DataFrame({"time": t, "eda": 2 + np.sin(t + i), "ecg": np.sin(2 * np.pi * 1.2 * t) ** 31})
            (root / "signals").mkdir(exist_ok=True)
            signals.round(4).to_csv(root / "signals" / f"p{i}.csv", index=False)
            side = "test" if i >= 7 else "train"
            for k, label in enumerate(("calm", "stress")):
                rows.append(
                    (f"p{i}-{k}", f"p{i}", label, f"clips/p{i}.mp4", f"signals/p{i}.csv", 2 * k, 2 * k + 2, side)
                )
        columns = ["sample_id", "subject", "label", "video", "physio", "start_s", "end_s", "side"]
        pd.DataFrame(rows, columns=columns).to_csv(root / "samples.csv", index=False)
        return root

    return make


@pytest.fixture(scope="session")
def affwild2_tree() -> Callable[..., Path]:
    """(root, challenge, crops, raw) -> Aff-Wild2 of ten labelled videos of 30 frames at 10 per second.

    Windows of 2 s each 1 s are twenty samples. Two people are labelled in one validation video.
    """

    def make(root: Path, challenge: str = "VA", crops: bool = True, raw: bool = True) -> Path:
        videos = [*((f"t{i}", "Train_Set") for i in range(7)), ("v0", "Validation_Set")]
        videos += [("v1_left", "Validation_Set"), ("v1_right", "Validation_Set")]
        rng = np.random.default_rng(8)
        for seed, (video, side) in enumerate(videos):
            path = root / TOPS[challenge] / side / f"{video}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            if challenge == "VA":
                lines = [f"{a:.3f},{b:.3f}" for a, b in rng.uniform(-1, 1, (30, 2))]
                lines[5:8] = ["-5,-5", "-5.0,0.1", "0.1,-5"]
            else:
                # The first half of a video is neutral in every other one; then it is happy or something else.
                half = str([0, 4, 7][seed % 3]), str([4, 7, 0][seed % 3])
                lines = [half[i >= 15] for i in range(30)]
                lines[5:8] = ["-1", "-1.0", "2"]
            path.write_text("\n".join([HEADERS[challenge], *lines]) + "\n")
            shared = video.split("_")[0]
            file = root / f"batch{1 + seed % 3}" / f"{shared}.{'avi' if seed == 2 else 'mp4'}"
            if raw and not list(root.glob(f"batch*/{shared}.*")):
                write_video(file, 30, 10, seed)
            if crops:
                write_images(
                    root / "cropped_aligned" / video, [n for n in range(1, 31) if n not in (4, 17)], seed, "{:05d}.jpg"
                )
        return root

    return make


@pytest.fixture(scope="session")
def features_tree() -> Callable[..., Path]:
    """(root, arrays) -> ready features of twenty samples of ten people, as a wide table or as .npz files of steps.

    One sample lacks the video and one the skin conductance.
    """

    def make(root: Path, arrays: bool = False) -> Path:
        rng = np.random.default_rng(7)
        rows = [(f"p{i}-{k}", f"p{i}", k, "test" if i >= 7 else "train") for i in range(10) for k in range(2)]
        table = pd.DataFrame(rows, columns=["sample_id", "subject", "label", "side"])
        video = rng.normal(size=(20, 3, 4)) + table["label"].to_numpy()[:, None, None]
        eda = rng.normal(size=(20, 2))
        video[3], video[5, 2], eda[8] = np.nan, np.nan, np.nan
        root.mkdir(parents=True)
        if arrays:
            ids = table["sample_id"].to_numpy(str)
            np.savez(root / "video.npz", ids=ids, features=video)
            np.savez(root / "eda.npz", ids=ids[::-1], features=eda[::-1])
        else:
            for name, values in (("video", video[:, 0]), ("eda", eda)):
                for j in range(values.shape[1]):
                    table[f"{name}__f{j}"] = values[:, j]
        table.to_csv(root / "samples.csv", index=False)
        return root

    return make
