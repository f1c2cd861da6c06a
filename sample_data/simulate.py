"""Simulated pain study: the people, the trials and the latent reaction that every modality shows in its own way.

No real person was recorded. A trial's reaction `r` (>= 0, no unit) is the subject's responsiveness where the level is
PA4, plus a floor and trial noise, so the two levels overlap. Every modality sees `r` through its own gain and noise
(`sensors.py`): the face weakly and in each subject's own way, the voice somewhat, the body clearly.

Parameters are round numbers near those of human physiology; README.md says how they were chosen. Every draw comes from
a generator named by (subject, class, trial, stream), so each clip can be made alone.

The last people were recorded without labels: drawn by the same process, each for half a session. Their clips are
numbered in an order that is drawn too, and neither name nor number tells the level.
"""

from dataclasses import dataclass

import numpy as np

SEED = 20240816
N_SUBJECTS = 16
N_TRIALS = 6
N_UNLABELLED = 8
N_UNLABELLED_TRIALS = 3
LEVELS = {"BL1": 0, "PA4": 4}
DURATION_S = 5.0
FRAME_RATE_HZ = 10
CHANNELS = ("brow", "eye", "mouth", "head")


def generator(*key: int) -> np.random.Generator:
    """An independent generator for `key`; unlike a plain list of seeds, (1,) and (1, 0) are different keys."""
    return np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=key))


@dataclass(frozen=True)
class Subject:
    """What stays with a simulated person over all trials.

    Attributes:
        name: BioVid's form `<6 digits>_<w|m>_<age>`; 90 is no month, so no id of a real corpus is met.
        responsiveness: reaction that PA4 adds on average, around 1.
        face_weights: (4,) share of the reaction that each of `CHANNELS` shows, 0 or more.
        labelled: whether the level of this person's trials is written down anywhere.
        trials: level -> the number that each of its trials has in the names of clips.
    """

    number: int
    name: str
    labelled: bool
    responsiveness: float
    face_weights: np.ndarray
    sway_px: float
    pitch_hz: float
    loudness_db: float
    tonic_us: float
    scr_us: float
    heart_rate_bpm: float
    muscle_uv: float
    trials: dict[str, list[int]]


@dataclass(frozen=True)
class Trial:
    """One clip: who, at which level, and the latent reaction with its onset and peak in seconds."""

    subject: Subject
    level: str
    index: int
    reaction: float
    onset_s: float
    peak_s: float

    @property
    def name(self) -> str:
        """The sample's name, as BioVid writes it `900101_w_34-BL1-081`, or without a level `900117_w_34-002`."""
        level = f"-{self.level}" if self.subject.labelled else ""
        return f"{self.subject.name}{level}-{self.subject.trials[self.level][self.index]:03d}"

    def rng(self, stream: int) -> np.random.Generator:
        """An independent generator for one modality of this trial."""
        return generator(self.subject.number, LEVELS[self.level], self.index, stream)

    def course(self, t_s: np.ndarray, lag_s: float = 0.0) -> np.ndarray:
        """Reaction over time, `(T,)`: zero before the onset, `reaction` at the peak, then decay with 1.5 s."""
        t = t_s - lag_s
        rise = np.clip((t - self.onset_s) / (self.peak_s - self.onset_s), 0, 1)
        return self.reaction * 0.5 * (1 - np.cos(np.pi * rise)) * np.exp(-np.maximum(t - self.peak_s, 0) / 1.5)


def make_subject(number: int) -> Subject:
    """Draw the person with this running number; the same number gives the same person.

    Args:
        number: 1 to `N_SUBJECTS` for those with labels, and the `N_UNLABELLED` after these for those without.
    """
    rng, labelled = generator(number), number <= N_SUBJECTS
    woman = number % 2 == 1
    expressiveness = 0.9 * rng.lognormal(0, 0.45)
    return Subject(
        number=number,
        name=f"9001{number:02d}_{'w' if woman else 'm'}_{rng.integers(20, 66)}",
        labelled=labelled,
        responsiveness=rng.lognormal(0, 0.35),
        face_weights=expressiveness * rng.dirichlet(np.full(len(CHANNELS), 0.8)),
        sway_px=rng.uniform(0.8, 2.5),
        pitch_hz=(200 if woman else 115) * 2 ** (rng.normal(0, 2) / 12),
        loudness_db=rng.normal(-22, 2),
        tonic_us=4 * rng.lognormal(0, 0.5),
        scr_us=0.45 * rng.lognormal(0, 0.35),
        heart_rate_bpm=rng.normal(72, 8),
        muscle_uv=8 * rng.lognormal(0, 0.4),
        trials=_numbered(rng) if labelled else _numbered_blindly(rng),
    )


def _numbered(rng: np.random.Generator) -> dict[str, list[int]]:
    """BioVid's own numbers: 81 and on for BL1, any before that for PA4."""
    return {
        "BL1": list(range(81, 81 + N_TRIALS)),
        "PA4": sorted(rng.choice(np.arange(1, 81), N_TRIALS, replace=False).tolist()),
    }


def _numbered_blindly(rng: np.random.Generator) -> dict[str, list[int]]:
    """Numbers from 1, the levels in any order."""
    numbers = (1 + rng.permutation(len(LEVELS) * N_UNLABELLED_TRIALS)).reshape(len(LEVELS), N_UNLABELLED_TRIALS)
    return dict(zip(LEVELS, numbers.tolist(), strict=True))


def make_trials(subject: Subject) -> list[Trial]:
    """Draw a person's trials in the order in which the table lists them: that of the levels, or of the numbers."""
    trials = [make_trial(subject, level, i) for level in LEVELS for i in range(len(subject.trials[level]))]
    return trials if subject.labelled else sorted(trials, key=lambda trial: trial.name)


def make_trial(subject: Subject, level: str, index: int) -> Trial:
    """Draw the latent reaction of trial `index` (from 0) at `level` ("BL1" or "PA4")."""
    rng = generator(subject.number, LEVELS[level], index)
    mean = 0.3 + (subject.responsiveness if level == "PA4" else 0.0)
    reaction = max(0.0, mean + rng.normal(0, 0.5))
    return Trial(subject, level, index, reaction, onset_s=rng.uniform(1.0, 1.5), peak_s=rng.normal(3.0, 0.15))
