"""Long sound a stretch at a time: no seam between stretches, whatever their length."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from mtpkd_cli.encoders import Segment, _blocks, audio, logmel, prosody
from mtpkd_cli.encoders._librosa import load_librosa
from mtpkd_cli.media._resampler import Resampler

librosa = load_librosa()


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """Three seconds: a voice-like tone that glides and pauses, over hiss."""
    times = np.arange(48_123) / 16_000
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(times * 2)) / 16_000
    tone = sum(np.sin(k * phase) / k for k in range(1, 9)) * (np.sin(times * 5) > -0.3)
    noise = np.random.default_rng(0).normal(0, 0.005, len(times))
    soundfile.write(tmp_path / "a.wav", 0.1 * tone + noise, 16_000, "FLOAT")
    return tmp_path / "a.wav"


@pytest.mark.parametrize("encoder", [audio, logmel, prosody], ids=lambda module: module.__name__.rpartition(".")[2])
@pytest.mark.parametrize("frames", [1, 37, 300])
def test_stretches_join_without_a_seam(
    voice: Path, encoder: ModuleType, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encoder.encode(Segment(voice), encoder.Config())
    monkeypatch.setattr(_blocks, "_FRAMES", frames)
    parts = encoder.encode(Segment(voice), encoder.Config())
    np.testing.assert_array_equal(parts.times_s, whole.times_s)
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("from_hz", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("piece", [7, 1_000, 100_000])
def test_sound_in_pieces_is_resampled_as_librosa_does_it_at_once(from_hz: int, piece: int) -> None:
    given = np.random.default_rng(1).normal(0, 0.1, 30_011).astype(np.float32)
    resampler = Resampler(from_hz, 16_000)
    for first in range(0, len(given), piece):
        resampler.add(given[first : first + piece])
    assert resampler.peak == np.abs(given).max()
    oracle = librosa.resample(given, orig_sr=from_hz, target_sr=16_000, res_type="soxr_hq")
    samples = resampler.samples()
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, oracle, atol=1e-6)
