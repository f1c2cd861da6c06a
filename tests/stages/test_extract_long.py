"""An hour of video with sound is extracted in memory that an hour does not fill."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from mtpkd_cli.artifacts.feature_parts import read_parts

LIMIT_GB = 1.5
MINUTES, RATE_HZ, SOUND_HZ = 60, 2, 24_000
STUDY = """\
[study]
name = "long"
[data]
adapter = "table"
root = "../data"
folds = 2
options = { media = ["film"] }
[modalities.video]
role = "prevalent"
encoder = "face"
media = "film"
options = { rate_hz = 0.5, step_s = 10.0, detect_every_s = 10.0 }
[modalities.sound]
role = "privileged"
encoder = "audio"
media = "film"
options = { hop_s = 0.1, step_s = 10.0 }
[modalities.spectrum]
role = "privileged"
encoder = "logmel"
media = "film"
options = { hop_s = 0.02 }
[extract]
workers = 1
timeout_s = 600
max_failures = "100%"
"""


def write_hour(path: Path) -> None:
    """A minute of a swaying face and a tone, encoded once and written sixty times."""
    image = cv2.imread(str(get_sample_data("grace_hopper.jpg", asfileobj=False)))
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE_HZ, options={"preset": "veryfast", "bf": "0", "g": "40"})
        video.width, video.height, video.pix_fmt = 96, 96, "yuv420p"
        sound = container.add_stream("pcm_u8", rate=SOUND_HZ, layout="mono")
        packets: list[tuple[Any, Fraction, bytes, float, bool]] = []
        for i in range(60 * RATE_HZ):
            place = np.array([[0.16, 0, 5 + 4 * np.sin(i / 9)], [0, 0.16, 2 * np.cos(i / 7)]])
            picture = cv2.warpAffine(image, place, (96, 96), flags=cv2.INTER_AREA, borderValue=90)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = i, Fraction(1, RATE_HZ)
            packets += [(video, bytes(p), float(p.pts * p.time_base), p.is_keyframe) for p in video.encode(frame)]
        packets += [(video, bytes(p), float(p.pts * p.time_base), p.is_keyframe) for p in video.encode()]
        tone = (128 + 60 * np.sin(np.arange(SOUND_HZ) * 0.05)).astype(np.uint8)[None]
        block = av.AudioFrame.from_ndarray(tone, format="u8", layout="mono")
        block.sample_rate = SOUND_HZ
        [spoken] = [bytes(p) for p in sound.encode(block)]
        packets += [(sound, spoken, float(second), True) for second in range(60)]
        packets.sort(key=lambda packet: packet[2])
        for minute in range(MINUTES):
            for stream, content, time_s, key in packets:
                packet = av.Packet(content)
                packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 1000), key
                packet.pts = packet.dts = round(1000 * (60 * minute + time_s))
                container.mux(packet)


def resident_gb(root: int) -> float:
    """Resident memory of a process and its descendants."""
    parents, pages = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            pages[int(folder.name)] = int((folder / "statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
    tree = {root}
    while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return sum(pages.get(pid, 0) for pid in tree) * os.sysconf("SC_PAGE_SIZE") / 1e9


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_hour_takes_less_than_the_limit(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    tiny = make_tiny(tmp_path / "long")
    data = tiny.root / "data"
    write_hour(data / "film.mkv")
    rows = [f"s{i},p{i},{'ab'[i % 2]},{'film.mkv' if i == 0 else ''}" for i in range(6)]
    (data / "samples.csv").write_text("\n".join(["sample_id,subject,label,film", *rows]))
    tiny.run.study.write_text(STUDY)
    process = subprocess.Popen([sys.executable, "-m", "mtpkd_cli", "extract", str(tiny.run.root), "--quiet"])
    peak_gb = 0.0
    while process.poll() is None:
        peak_gb = max(peak_gb, resident_gb(process.pid))
        time.sleep(0.1)
    assert process.returncode == 0
    for modality, steps in (("video", 360), ("sound", 360), ("spectrum", 180_000)):
        rows_read, _, values = read_parts(tiny.run.features(modality), ["s0"])
        assert len(rows_read) == steps
        assert np.isfinite(values).all()
    print(f"peak {peak_gb:.2f} GB")
    assert peak_gb < LIMIT_GB
