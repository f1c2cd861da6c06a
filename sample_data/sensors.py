"""What the sensors of the simulated study would record: face controls, voice and body signals of one trial.

    face    weakly: four channels (brow, eye, mouth, head) whose weights differ by subject, among unrelated movement
    voice   somewhat: pitch and loudness, over a baseline that differs by subject
    body    clearly: skin conductance and muscle tone; heart rate less so

References:
    Lim et al. 1997, Int. J. Psychophysiology 25: the skin conductance response as a difference of two exponentials
    (here with the time constants 2 s and 0.75 s of Benedek and Kaernbach 2010). McSharry et al. 2003, IEEE Trans.
    Biomed. Eng. 50: the ECG as five Gaussians on the angle of the heart's cycle, in closed form because an adaptive
    solver gives other values on another processor. EMG and the noise of skin conductance: NeuroKit2.
"""

import neurokit2 as nk
import numpy as np
from simulate import CHANNELS, DURATION_S, FRAME_RATE_HZ, Trial

AUDIO_RATE_HZ = 16_000
SIGNAL_RATE_HZ = 128
# P, Q, R, S and T.
WAVES = {
    "angle_deg": np.array([-70.0, -15.0, 0.0, 15.0, 100.0]),
    "size_uv": np.array([120.0, -100.0, 1000.0, -200.0, 250.0]),
    "width_rad": np.array([0.25, 0.1, 0.1, 0.1, 0.4]),
}


def _bump(t_s: np.ndarray, centre_s: float, width_s: float) -> np.ndarray:
    return np.exp(-0.5 * ((t_s - centre_s) / width_s) ** 2)


def face_motion(trial: Trial) -> dict[str, np.ndarray]:
    """Face controls per video frame, each `(T,)`.

    `brow`, `eye`, `mouth`, `head` are 0 at rest and about 1 when strongly shown; `blink` is 0 to 1; `gaze_x`, `gaze_y`
    are in eye radii; `sway_x`, `sway_y` in pixels of the frame and `roll` in degrees. All but a weighted
    share of the first four is unrelated to the reaction.
    """
    rng, t = trial.rng(0), np.arange(int(DURATION_S * FRAME_RATE_HZ)) / FRAME_RATE_HZ
    motion = {}
    for channel, weight in zip(CHANNELS, trial.subject.face_weights, strict=True):
        spontaneous = rng.random() < 0.5
        unrelated = abs(rng.normal(0, 0.4)) * _bump(t, rng.uniform(0, DURATION_S), rng.uniform(0.3, 0.9))
        motion[channel] = weight * trial.course(t, 0.1) + spontaneous * unrelated + rng.normal(0, 0.1)
    motion["blink"] = np.zeros_like(t)
    for start_s in rng.uniform(0, DURATION_S, rng.poisson(1.5)):
        motion["blink"] = np.maximum(motion["blink"], _bump(t, start_s, 0.08))
    for axis in ("gaze_x", "gaze_y"):
        motion[axis] = 0.15 * rng.normal() + 0.35 * rng.normal() * (t > rng.uniform(0, DURATION_S))
    for axis, size in (("sway_x", 1.0), ("sway_y", 0.6), ("roll", 0.8)):
        rate_hz, phase = rng.uniform(0.1, 0.4), rng.uniform(0, 2 * np.pi)
        motion[axis] = trial.subject.sway_px * size * (np.sin(2 * np.pi * rate_hz * t + phase) + rng.normal())
    return motion


def pitch_and_loudness(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """Pitch in Hz and loudness in dB of full scale at every audio sample, each `(N,)`."""
    rng, t = trial.rng(1), np.arange(int(DURATION_S * AUDIO_RATE_HZ)) / AUDIO_RATE_HZ
    course = trial.course(t, 0.2)
    wander = 0.4 * np.sin(2 * np.pi * rng.uniform(0.2, 0.6) * t + rng.uniform(0, 2 * np.pi))
    semitones = rng.normal(0, 1.2) + wander + 1.5 * course
    loudness_db = trial.subject.loudness_db + rng.normal(0, 2) + 3 * wander + 3 * course
    return trial.subject.pitch_hz * 2 ** (semitones / 12), loudness_db


def voice(trial: Trial) -> np.ndarray:
    """A sustained vowel with breath noise, `(N,)` float32 in [-1, 1] at `AUDIO_RATE_HZ`."""
    rng = trial.rng(2)
    pitch_hz, loudness_db = pitch_and_loudness(trial)
    tract = (1.0 if trial.subject.pitch_hz < 155 else 1.16) * rng.normal(1, 0.03)

    def gain(f_hz: np.ndarray) -> np.ndarray:
        peaks = ((600, 90, 1.0), (1100, 110, 0.5), (2500, 160, 0.2))
        return 0.02 + np.sum([a / (1 + ((f_hz - f * tract) / width) ** 2) for f, width, a in peaks], axis=0)

    phase = 2 * np.pi * np.cumsum(pitch_hz) / AUDIO_RATE_HZ
    orders = np.arange(1, int(4000 / pitch_hz.max()) + 1)
    strengths = gain(orders * pitch_hz.mean()) / orders**0.5
    tone = np.sum([a * np.sin(k * phase) for k, a in zip(orders, strengths, strict=True)], axis=0)
    spectrum = np.fft.rfft(rng.normal(size=phase.size))
    breath = np.fft.irfft(spectrum * gain(np.fft.rfftfreq(phase.size, 1 / AUDIO_RATE_HZ)), phase.size)
    sound = tone / tone.std() + 0.15 * breath / breath.std()
    return np.clip(sound * 10 ** (loudness_db / 20), -1, 1).astype(np.float32)


def body_signals(trial: Trial) -> dict[str, np.ndarray]:
    """Skin conductance `gsr` in microsiemens, `ecg` and `emg_trapezius` in microvolts: `(N,)` at 128 Hz."""
    rng, subject = trial.rng(3), trial.subject
    n = int(DURATION_S * SIGNAL_RATE_HZ)
    t = np.arange(n) / SIGNAL_RATE_HZ
    seeds = [int(seed) for seed in rng.integers(2**31, size=2)]

    def scr(start_s: float) -> np.ndarray:
        after = np.maximum(t - start_s, 0)
        return (np.exp(-after / 2) - np.exp(-after / 0.75)) / 0.3453

    gsr = nk.eda_simulate(
        length=n, duration=DURATION_S, sampling_rate=SIGNAL_RATE_HZ, scr_number=0, drift=0, random_state=seeds[0]
    )
    gsr = gsr - 1 + subject.tonic_us * rng.lognormal(0, 0.1) + rng.normal(0, 0.03) * t
    gsr += subject.scr_us * trial.reaction * rng.lognormal(0, 0.25) * scr(trial.onset_s + rng.normal(0.8, 0.15))
    for start_s in rng.uniform(-2, DURATION_S, rng.poisson(0.5)):
        gsr += rng.exponential(0.12) * scr(start_s)

    breathing = np.sin(2 * np.pi * 0.27 * t + rng.uniform(0, 2 * np.pi))
    rate_bpm = subject.heart_rate_bpm + rng.normal(0, 2) + 2 * breathing + 8 * trial.course(t, 0.3)
    angle = 2 * np.pi * (rng.random() + np.cumsum(rate_bpm / 60) / SIGNAL_RATE_HZ)
    distance = np.remainder(angle[:, None] - np.radians(WAVES["angle_deg"]) + np.pi, 2 * np.pi) - np.pi
    waves_uv = WAVES["size_uv"] * np.exp(-0.5 * (distance / WAVES["width_rad"]) ** 2)
    ecg = waves_uv.sum(axis=1) + 30 * breathing + rng.normal(0, 12, n)

    carrier = nk.emg_simulate(
        length=n, duration=5, sampling_rate=SIGNAL_RATE_HZ, burst_duration=5.0, random_state=seeds[1]
    )
    shift_uv = (rng.random() < 0.2) * 15 * _bump(t, rng.uniform(0, DURATION_S), 0.5)
    envelope_uv = subject.muscle_uv * rng.lognormal(0, 0.2) + shift_uv + 20 * rng.lognormal(0, 0.35) * trial.course(t)
    return {"gsr": gsr, "ecg": ecg, "emg_trapezius": envelope_uv * (carrier - carrier.mean()) / carrier.std()}
