"""One try of distillation: the student of one candidate, fitted with its method, in one round or several."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.study import FitOptions, UnlabelledOptions
from mtpkd_cli.methods import TeacherBank, load_method
from mtpkd_cli.models import Student, Teacher
from mtpkd_cli.models.calibration import calibrated_loss, fit_temperature
from mtpkd_cli.models.class_balance import ClassShift, balancing_shift
from mtpkd_cli.models.losses import loss_per_sample
from mtpkd_cli.training.checkpoints import load_model, load_weights
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.descriptions import Candidate
from mtpkd_cli.training.fitting import History
from mtpkd_cli.training.resuming import Resuming
from mtpkd_cli.training.seeding import derived_seed, seeded
from mtpkd_cli.training.sides import Sides
from mtpkd_cli.training.students import fit_student
from mtpkd_cli.training.teachers import apply
from mtpkd_cli.training.unlabelled import confident, sharpened, with_student

_LEAST_PEOPLE = 3


class Starts(NamedTuple):
    """Where a student's first weights come from: the prevalent teacher (None = scratch) and the fitted T-Net."""

    trunk: Path | None
    tnet: Path


class FittedStudent(NamedTuple):
    """A student after its fit."""

    network: Student
    arguments: dict[str, Any]
    candidate: Candidate
    history: History


@dataclass(frozen=True)
class Tries:
    """What all tries of a fold and seed have in common.

    Args:
        data: The student's modalities, and the labels that may be seen.
        bank: What the teachers say, rows in the order of `data`.
        sides: Rows that have what the student sees.
        arguments: Keyword arguments of `Student`.
        starts: Of its weights.
        fit: How it is fitted.
        unlabelled: How recordings without a label teach.
        fold: With the seed it decides all that is drawn.
        seed: Of the repetition.
    """

    data: StudyData
    bank: TeacherBank
    sides: Sides
    arguments: dict[str, Any]
    starts: Starts
    fit: FitOptions
    unlabelled: UnlabelledOptions
    fold: int
    seed: int

    def fitted(self, candidate: Candidate, resuming: Resuming, name: str) -> FittedStudent:
        """Fits the student of a candidate.

        Args:
            candidate: Method, options and sizes.
            resuming: Where its fits go on after an interrupt.
            name: Of this try.
        """
        method, options = load_method(candidate.method), self.unlabelled
        sides, rows = taught_sides(self.sides, candidate.method), self.sides.unlabelled
        bank = sharpened(self.bank, rows, options.sharpening) if options.sharpening != 1 else self.bank
        bank = confident(bank, rows, options.confidence) if options.confidence else bank
        sized = self.arguments | candidate.sizes
        rounds = options.rounds if len(sides.unlabelled) else 1
        for number in range(rounds):
            # The seed names no method: all students start from the same weights and see the same batches.
            with seeded(derived_seed(self.seed, self.fold, "student")) as order:
                network = self._new_student(sized, method.tnet == "fitted")
                history = fit_student(
                    network, self.data, bank, method.terms, sides,
                    method_options=candidate.options, options=self.fit.model_dump() | candidate.fit,
                    unlabelled=options, order=order,
                    draws=torch.Generator().manual_seed(derived_seed(self.seed, self.fold, "draws")),
                    checkpoint=resuming.fit(f"{name} round {number}" if number else name),
                )  # fmt: skip
            if number + 1 < rounds:
                logits = self._logits(network, sides.unlabelled)
                bank = with_student(bank, sides.unlabelled, logits, regression=self.data.labels.is_floating_point())
        return FittedStudent(network, sized, candidate, history)

    def validation_loss(self, network: Student) -> float:
        """The loss on validation rows at the temperature that suits it best."""
        rows = self.sides.validation
        return calibrated_loss(self._logits(network, rows), self.data.labels[rows])

    def kept(self, best: list[FittedStudent]) -> FittedStudent:
        """Of the best students of a guard and of a method, or of a method alone, the one that is kept.

        It is the method's unless the guard's is better for the validation people by more than a standard error over
        them: less is a coin, which would throw good students away. Of fewer than three people there is no such error to
        speak of; two over recordings, which are too alike to be counted as one, stand for it.
        """
        *guards, taught = best
        if not guards:
            return taught
        rows = self.sides.validation
        people = self.data.samples["subject"].iloc[rows.numpy()].to_numpy()
        losses = [self._losses(one.network, rows) for one in (guards[0], taught)]
        worse, errors = pd.Series((losses[1] - losses[0]).numpy()), 2
        if len(set(people)) >= _LEAST_PEOPLE:
            worse, errors = worse.groupby(people).mean(), 1
        # Of one recording there is no deviation, and nothing is clear.
        return guards[0] if worse.mean() > errors * worse.std(ddof=1) / len(worse) ** 0.5 else taught

    def balanced(self, student: FittedStudent) -> FittedStudent:
        """The student with the shift of its logits by which classes have the same mean over all training rows."""
        logits = self._logits(student.network, self.sides.training)
        shift = balancing_shift(logits).tolist()
        student.network.units = ClassShift(shift).to(logits.device)
        return student._replace(arguments=student.arguments | {"class_shift": shift})

    def _losses(self, network: Student, rows: Tensor) -> Tensor:
        """(n,) of each row, at the temperature that suits the student best; of targets in standard deviations."""
        scale, logits, labels = network.scale, self._logits(network, rows), self.data.labels[rows]
        if scale is not None:
            return loss_per_sample(scale.of_predictions(logits), scale.standardised(labels)).cpu()
        return loss_per_sample(logits / fit_temperature(logits, labels), labels).cpu()

    def _logits(self, network: Student, rows: Tensor) -> Tensor:
        return apply(network, self.data, network.trunk.modalities, rows).logits

    def _new_student(self, arguments: dict[str, Any], fitted_tnet: bool) -> Student:
        network = Student(**arguments).to(self.data.labels.device)
        if self.starts.trunk is not None and network.kind == "fusion":
            network.trunk.load_state_dict(load_model(self.starts.trunk, Teacher)[0].trunk.state_dict())
        else:
            network.trunk.fit_normalisers(self.data.batch(self.sides.training, network.trunk.modalities))
        if fitted_tnet and network.kind == "fusion":
            load_weights(self.starts.tnet, network.tnet)
        return network


def taught_sides(sides: Sides, method: str) -> Sides:
    """The sides as a method sees them: recordings without a label are for those that listen to teachers."""
    return sides if METHODS.constant(method, "TAUGHT", True) else sides.without_unlabelled
