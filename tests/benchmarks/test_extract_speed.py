"""What extracting face video costs next to decoding the same frames with decord in a bare loop.

As a test: clips of two sizes, with a face and without, processor time; and how much faster two workers are than one,
next to how much faster bare decoding gets. On any folder of clips, wall time with one and two workers:

    python tests/benchmarks/test_extract_speed.py FOLDER [--workers 1 2] [--rounds 3]

Both run in the same pool of workers; starting the workers is not counted. Leave the machine alone meanwhile.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import decord
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from mtpkd_cli.encoders import Segment
from mtpkd_cli.encoders.face import Config, encode
from mtpkd_cli.media.pool import Task, run_isolated

# The cost of a face, about 25 ms for a clip of 4 s whatever the picture's size, weighs most where pictures are small.
LIMITS = {(320, 240): 1.5, (640, 480): 1.15}
ROUNDS, TRIES = 9, 8


def decode_bare(path: Path) -> int:
    """Decodes the frames that the default encoder takes, as the file stores them; returns how many."""
    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    step = max(1.0, reader.get_avg_fps() / Config().rate_hz)
    wanted = np.unique(np.ceil(np.arange(0, len(reader), step) - 1e-6).astype(int))
    wanted = wanted[wanted < len(reader)]
    return sum(len(reader.get_batch(wanted[i : i + 128].tolist()).asnumpy()) for i in range(0, len(wanted), 128))


def extract(path: Path) -> int:
    """Encodes a clip with the default options; returns the number of steps."""
    return len(encode(Segment(path), Config()).values)


def processor_s(function: Callable[[Path], int], path: Path) -> float:
    """Processor time of one call."""
    start = time.process_time()
    function(path)
    return time.process_time() - start


def warm_up(function: Callable[[Path], int], path: Path, meeting: Path, workers: int) -> None:
    """Loads what the function needs, then waits until all workers have, so that they begin together."""
    function(path)
    (meeting / str(os.getpid())).touch()
    while len(list(meeting.iterdir())) < workers:
        time.sleep(0.005)


def pool_seconds(function: Callable[[Path], int], paths: list[Path], workers: int) -> float:
    """Wall time of a pool of workers that are up and running."""
    with tempfile.TemporaryDirectory() as meeting:
        warm = (warm_up, function, paths[0], Path(meeting), workers)
        tasks = [Task("warm-up", warm)] * workers + [Task(str(path), (function, path)) for path in paths]
        start = time.perf_counter()
        for done, outcome in enumerate(run_isolated(_call, tasks, workers=workers, timeout_s=600), 1):
            if outcome.error is not None:
                raise RuntimeError(f"{outcome.key}: {outcome.error}")
            if done == workers:
                start = time.perf_counter()
        return time.perf_counter() - start


def _call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def least(measure: Callable[[], dict[str, float]], rounds: int) -> dict[str, float]:
    """The least of several rounds, in which all ways take turns."""
    all_rounds = [measure() for _ in range(rounds)]
    return {name: min(one[name] for one in all_rounds) for name in all_rounds[0]}


def write_clip(path: Path, size: tuple[int, int] = (640, 480), frames: int = 100, *, face: bool = True) -> Path:
    """A person who sways a little before a still wall, with camera noise, 25 frames and about 3 Mbit per second.

    Without a face the picture hangs upside down: as much detail, and nothing to be found.
    """
    image = cv2.imread(str(get_sample_data("grace_hopper.jpg", asfileobj=False)))
    image = image if face else np.ascontiguousarray(image[::-1])
    noise = np.random.default_rng(0).normal(0, 4, (size[1], size[0], 1))
    scale = 0.9 * size[1] / image.shape[0]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for i in range(frames):
            place = np.array([[scale, 0, size[0] / 4 + 8 * np.sin(i / 9)], [0, scale, 20 + 3 * np.cos(i / 7)]])
            picture = cv2.warpAffine(image, place, size, borderValue=(90, 110, 100)) + np.roll(noise, 7 * i, 1)
            frame = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.slow
@pytest.mark.parametrize("face", [True, False], ids=["a face", "no face"])
@pytest.mark.parametrize("size", LIMITS, ids="{0[0]} x {0[1]}".format)
def test_extraction_costs_little_more_than_decoding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: tuple[int, int], face: bool
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", size, face=face)
    assert decode_bare(clip) == 40
    features = encode(Segment(clip), Config())
    assert len(features.values) == 8
    assert features.notes["steps_without_face"] == (0 if face else 8)
    # A processor that others share changes its speed from one second to the next: each round compares neighbours in
    # time, and the middle of the rounds counts.
    ratio = np.inf
    for _ in range(TRIES):
        ratio = min(
            ratio,
            float(np.median([processor_s(extract, clip) / processor_s(decode_bare, clip) for _ in range(ROUNDS)])),
        )
        if ratio <= LIMITS[size]:
            break
    with capsys.disabled():
        what = f"{size[0]} x {size[1]}, {'a' if face else 'no'} face"
        print(f"\nextraction / bare decoding, {what}: {ratio:.2f} (processor time)")
    assert ratio <= LIMITS[size]


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two workers need two processors")
def test_two_workers_gain_as_much_as_in_bare_decoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip-0.mp4", (320, 240))
    paths = [clip] + [clip.with_name(f"clip-{i}.mp4") for i in range(1, 12)]
    for path in paths[1:]:
        path.hardlink_to(clip)
    # Whoever else uses the machine meanwhile takes more from two workers than from one: a wide bound and a second try.
    for _ in range(2):
        bare, ours = (pool_seconds(way, paths, 1) / pool_seconds(way, paths, 2) for way in (decode_bare, extract))
        with capsys.disabled():
            print(f"\ntwo workers / one: decord alone {bare:.2f}, extraction {ours:.2f} times as fast (wall time)")
        if ours >= 0.6 * bare:
            break
    assert ours >= 0.6 * bare


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    paths = sorted(path for path in args.folder.rglob("*") if path.suffix.lower() in {".mp4", ".avi", ".mkv", ".mov"})
    ways = {"bare": decode_bare, "extract": extract}
    first: dict[str, float] = {}
    for n in args.workers:
        seconds = least(lambda n=n: {name: pool_seconds(way, paths, n) for name, way in ways.items()}, args.rounds)
        first = first or seconds
        ratio = seconds["extract"] / seconds["bare"]
        gains = [f"{first[name] / seconds[name]:.2f}" for name in ways]
        print(f"{len(paths)} clips, {n} workers: decord alone {seconds['bare']:.2f} s, ", end="")
        print(f"extraction {seconds['extract']:.2f} s, ratio {ratio:.2f}; ", end="")
        print(f"{' and '.join(gains)} times as fast as with {args.workers[0]}")


if __name__ == "__main__":
    main()
