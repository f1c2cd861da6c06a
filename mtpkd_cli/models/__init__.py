"""Plain torch modules with flat arguments: what teachers and students are made of.

Legend: B batch, T time steps, D features of a modality, d embedding size, M modalities, P privileged modalities,
C classes (or targets in regression). A modality's batch is a pair (values (B, T, D) float, mask (B, T) bool, True where
a step exists); a sample without that modality has an all-False row. Nothing here mixes samples: no attention and no
normalisation runs over the batch, so the output for a sample does not depend on its batch mates.
"""

from mtpkd_cli.models.adapter import Adapter, TNet
from mtpkd_cli.models.fusion import Fusion
from mtpkd_cli.models.normaliser import Normaliser
from mtpkd_cli.models.statistics import Statistics
from mtpkd_cli.models.student import Student
from mtpkd_cli.models.targets import TargetScale
from mtpkd_cli.models.teacher import Encoded, ModalityBatch, Output, Teacher, Trunk
from mtpkd_cli.models.temporal import TemporalEncoder

__all__ = [
    "Adapter",
    "Encoded",
    "Fusion",
    "ModalityBatch",
    "Normaliser",
    "Output",
    "Statistics",
    "Student",
    "TNet",
    "TargetScale",
    "Teacher",
    "TemporalEncoder",
    "Trunk",
]
