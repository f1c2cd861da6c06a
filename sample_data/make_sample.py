"""Make the SIMULATED sample study beside this file, in the layout of the BioVid Heat Pain corpus.

No real person was recorded: faces are drawn (`face.py`), voices and body signals are synthesised (`sensors.py`)
from a latent reaction (`simulate.py`). It is there to try the program and to test it, not to draw conclusions about
pain.

    python sample_data/make_sample.py              # writes the tree, about a minute on one core
    python sample_data/make_sample.py --describe   # how much each modality knows, without writing anything
"""

import argparse
from fractions import Fraction
from pathlib import Path

import av
import face
import numpy as np
import pandas as pd
import sensors
import simulate
from sensors import AUDIO_RATE_HZ, SIGNAL_RATE_HZ
from simulate import FRAME_RATE_HZ, LEVELS, N_SUBJECTS, N_UNLABELLED

X264 = {"crf": "30", "preset": "veryslow", "threads": "1", "g": "250"}
AUDIO_BIT_RATE = 12_000
DECIMALS = {"gsr": 3, "ecg": None, "emg_trapezius": None}


def write_video(path: Path, frames: list[np.ndarray], sound: np.ndarray) -> None:
    """Write H.264 and AAC to an mp4 that holds no date, so that the same input gives the same file.

    Args:
        path: file to write.
        frames: RGB pictures at `FRAME_RATE_HZ`.
        sound: (N,) float32 in [-1, 1] at `AUDIO_RATE_HZ`.
    """
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        video = container.add_stream("libx264", rate=FRAME_RATE_HZ, options=X264)
        video.width = video.height = face.SIZE_PX
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=AUDIO_RATE_HZ, layout="mono")
        audio.bit_rate = AUDIO_BIT_RATE
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FRAME_RATE_HZ)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for start in range(0, sound.size, 1024):
            block = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
            block.rate, block.pts, block.time_base = AUDIO_RATE_HZ, start, Fraction(1, AUDIO_RATE_HZ)
            container.mux(audio.encode(block))
        container.mux(audio.encode())


def write_signals(path: Path, signals: dict[str, np.ndarray]) -> None:
    """Write body signals as BioVid does: tab separated, `time` in microseconds first."""
    rows = ["\t".join(["time", *DECIMALS])]
    for index, values in enumerate(zip(*(signals[name] for name in DECIMALS), strict=True)):
        cells = [str(round(float(value), digits)) for value, digits in zip(values, DECIMALS.values(), strict=True)]
        rows.append("\t".join([str(index * 1_000_000 // SIGNAL_RATE_HZ), *cells]))
    path.write_text("\n".join(rows) + "\n", newline="\n")


def make_clip(out: Path, clip: simulate.Trial) -> tuple[Path, Path]:
    """Write the two files of one trial under `out`, the root of the study.

    Returns:
        The paths of the mp4 and of the csv.
    """
    video = out / "video" / clip.subject.name / f"{clip.name}.mp4"
    signals = out / "biosignals_filtered" / clip.subject.name / f"{clip.name}_bio.csv"
    for path in (video, signals):
        path.parent.mkdir(parents=True, exist_ok=True)
    look = face.make_look(simulate.generator(clip.subject.number, 7))
    motion, rng = sensors.face_motion(clip), clip.rng(4)
    light = rng.normal(1, 0.04)
    frames = [
        face.draw(look, {name: float(values[i]) for name, values in motion.items()}, light)
        for i in range(motion["brow"].size)
    ]
    write_video(video, frames, sensors.voice(clip))
    write_signals(signals, sensors.body_signals(clip))
    return video, signals


def all_trials() -> list[simulate.Trial]:
    """Every trial of the study, in the table's order."""
    people = range(1, N_SUBJECTS + N_UNLABELLED + 1)
    return [trial for number in people for trial in simulate.make_trials(simulate.make_subject(number))]


def make_table(out: Path) -> None:
    """Write `starting_point/samples.csv`, one row per clip; the class's cells are empty where nobody labelled it."""
    rows: list[tuple[int, str, str, str, int, str]] = []
    for clip in all_trials():
        label = (str(LEVELS[clip.level]), clip.level) if clip.subject.labelled else ("", "")
        rows.append((clip.subject.number, clip.subject.name, *label, len(rows) + 1, clip.name))
    columns = ["subject_id", "subject_name", "class_id", "class_name", "sample_id", "sample_name"]
    path = out / "starting_point" / "samples.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(path, sep="\t", index=False, lineterminator="\n")


def _measures(clip: simulate.Trial) -> dict[str, float]:
    """One simple number per modality of a clip; face and voice from their controls, the body from its signals."""
    signals, motion = sensors.body_signals(clip), sensors.face_motion(clip)
    late = slice(int(1.5 * SIGNAL_RATE_HZ), None)
    emg = signals["emg_trapezius"]
    beats = np.flatnonzero((signals["ecg"][1:] > 500) & (signals["ecg"][:-1] <= 500))
    pitch_hz, loudness_db = sensors.pitch_and_loudness(clip)
    shown = np.sum([motion[name] for name in simulate.CHANNELS], axis=0)
    return {
        "latent reaction": clip.reaction,
        "skin conductance rise": signals["gsr"][late].max() - signals["gsr"][: late.start].mean(),
        "muscle rms": float(np.sqrt(np.mean(emg**2))),
        "heart rate": 60 * SIGNAL_RATE_HZ / np.diff(beats).mean(),
        "mean pitch": pitch_hz.mean(),
        "mean loudness": loudness_db.mean(),
        **{f"face: {name} peak": motion[name].max() for name in simulate.CHANNELS},
        "face: sum of channels, peak": shown.max(),
    }


def describe() -> pd.DataFrame:
    """AUROC of BL1 against PA4 for each measure, as it is and less the subject's own mean; of labelled clips."""
    clips = [clip for clip in all_trials() if clip.subject.labelled]
    table = pd.DataFrame([_measures(clip) for clip in clips])
    body = table[["skin conductance rise", "muscle rms", "heart rate"]]
    table["body: mean of the three, standardised"] = ((body - body.mean()) / body.std()).mean(axis=1)
    centred = table - table.groupby([clip.subject.number for clip in clips]).transform("mean")
    pain = np.array([clip.level == "PA4" for clip in clips])

    def auroc(values: pd.Series) -> float:
        positives = int(pain.sum())
        return (values.rank()[pain].sum() - positives * (positives + 1) / 2) / (positives * (pain.size - positives))

    return pd.DataFrame({"auroc": table.apply(auroc), "auroc_within_subject": centred.apply(auroc)}).round(2)


def main() -> None:
    """Read the command line and write the study, or describe it."""
    parser = argparse.ArgumentParser(description="Make the simulated sample study.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="root of the study (default: beside)")
    parser.add_argument("--describe", action="store_true", help="print what each modality knows; write nothing")
    options = parser.parse_args()
    if options.describe:
        print(describe().to_string())
        return
    make_table(options.out)
    for clip in all_trials():
        make_clip(options.out, clip)


if __name__ == "__main__":
    main()
