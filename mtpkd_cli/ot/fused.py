"""Fused Gromov-Wasserstein between teacher and student: similarities compared as a whole, samples kept apart.

    min_T (1 - alpha) <T, M> + alpha sum_ijkl (C^T_ik - C^S_jl)^2 T_ij T_kl     over plans T with uniform marginals

C = 1 - cosine for each side, and M = C^T as well: to take sample j of the student for sample i of the teacher costs how
unlike the teacher finds them. Without M (alpha = 1) a student whose samples are permuted would be at 0. Where the
teacher keeps samples well apart the plan stays the identity, and what is left is alpha times the mean squared
difference of the similarities; it leaves the identity among samples that the teacher finds alike.

Sources: Vayer, Chapel, Flamary, Tavenard, Courty, "Optimal Transport for structured data with application on graphs",
ICML 2019, arXiv 1805.09114; solved by POT's conditional gradient. The feature cost between samples is this project's.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mtpkd_cli.errors import NumericalError
from mtpkd_cli.ot.cost import at_least_float32


@dataclass(frozen=True)
class FusedResult:
    """A solved problem; only `value` carries a gradient.

    Attributes:
        value: Scalar >= 0, at most alpha times the mean squared difference of the similarities.
        plan: (B, B) plan, rows the teacher's samples; the identity / B where nothing is gained by another.
        converged: Scalar bool, the solver stopped before its last iteration.
        n_iterations: Steps of the conditional gradient.
    """

    value: Tensor
    plan: Tensor
    converged: Tensor
    n_iterations: int


def fused_transport(
    teacher_similarities: Tensor,
    student_similarities: Tensor,
    *,
    alpha: float = 0.5,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
) -> FusedResult:
    """Fused Gromov-Wasserstein of two cosine matrices (B, B) of the same samples in the same order.

    The problem is not convex. The search starts from the identity, so the value is a local minimum below what the
    identity costs, and the same input gives the same value. The gradient is that of the costs under that plan
    (envelope theorem) and reaches the student alone.

    Args:
        teacher_similarities: (B, B), taken as constant.
        student_similarities: (B, B), receives the gradient.
        alpha: Share of the structure, in (0, 1); the rest keeps samples apart.
        max_iterations: Where the solver stops unconverged, which the result reports.
        tolerance: Change of the value, relative and absolute, at which it stops.

    Raises:
        NumericalError: A similarity is not finite.
    """
    teacher, student = at_least_float32(teacher_similarities.detach(), student_similarities)
    with torch.autocast(student.device.type, enabled=False):
        # A sample is at 0 from itself whatever rounding says.
        apart = 1.0 - torch.eye(len(teacher), dtype=teacher.dtype, device=teacher.device)
        of_teacher, of_student = ((1.0 - similarities) * apart for similarities in (teacher, student))
        plan, n_iterations = _plan(of_teacher, of_student.detach(), alpha, max_iterations, tolerance)
        mass = 1.0 / len(plan)
        # (a - b)^2 = a^2 + b^2 - 2ab, summed under the plan: marginals are uniform.
        squares = mass**2 * (of_teacher.square().sum() + of_student.square().sum())
        structure = squares - 2.0 * ((of_teacher @ plan @ of_student) * plan).sum()
        value = (1 - alpha) * (of_teacher * plan).sum() + alpha * structure
    return FusedResult(value, plan, torch.tensor(n_iterations < max_iterations), n_iterations)


def _plan(
    of_teacher: Tensor, of_student: Tensor, alpha: float, max_iterations: int, tolerance: float
) -> tuple[Tensor, int]:
    # POT takes a while to load and only this structure needs it.
    import ot as pot

    if not (of_teacher.isfinite().all() and of_student.isfinite().all()):
        raise NumericalError(
            "similarities are NaN or infinite",
            where="fused Gromov-Wasserstein",
            expected="finite cosines",
            todo="look for NaN features or a diverged model",
        )
    first, second = (cost.cpu().numpy().astype(np.float64) for cost in (of_teacher, of_student))
    start = np.eye(len(first)) / len(first)
    plan, log = pot.gromov.fused_gromov_wasserstein(
        first, first, second, symmetric=True, alpha=alpha, G0=start, log=True, max_iter=max_iterations,
        tol_rel=tolerance, tol_abs=tolerance,
    )  # fmt: skip
    return torch.from_numpy(plan).to(of_teacher), len(log["loss"]) - 1
