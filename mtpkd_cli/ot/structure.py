"""Similarity structure of a batch: who is like whom, and how far a student's answer is from its teacher's.

A representation `h: (B, d)` is described by its cosine matrix S, (B, B); a row of S says how one sample relates to the
others. Teachers are not detached here: a caller that distils passes detached teacher similarities.

Source: Aslam et al. 2024, released code (shifted, cloud_transport, least similar anchors, centroid); the
identity-keeping row_transport and the other kinds of anchors are this project's.
"""

from typing import Any, Literal, get_args

import torch
from torch import Generator, Tensor

from mtpkd_cli.errors import StudyError, did_you_mean
from mtpkd_cli.ot.cost import at_least_float32, unit_rows
from mtpkd_cli.ot.shared_cost import kernel_holds, shared_cost_divergence
from mtpkd_cli.ot.sinkhorn import DivergenceResult, debiased_transport, sinkhorn_divergence

AnchorKind = Literal["least", "most", "random", "shared"]
ANCHOR_KINDS: tuple[str, ...] = get_args(AnchorKind)


def cosine_similarities(h: Tensor) -> Tensor:
    """Returns the cosine matrix (B, B) of `h: (B, d)`, rows not normalised; 1 on the diagonal, 0 for a row of zeros."""
    (h,) = at_least_float32(h)
    with torch.autocast(h.device.type, enabled=False):
        unit = unit_rows(h)
        return unit @ unit.transpose(-1, -2)


def shifted(similarities: Tensor) -> Tensor:
    """Returns S - min(S) of a whole matrix (B, B), >= 0, 0 at the least similar pair; the minimum has its gradient too.

    So the clouds of rows of teacher and student are compared from where each is least alike: a student whose
    similarities all lie lower than its teacher's is at no distance. It is the released code's.
    """
    return similarities - similarities.min()


def choose_anchors(teacher_similarities: Tensor, k: int, kind: str, generator: Generator | None = None) -> Tensor:
    """Chooses the k columns by which each row is described.

    Args:
        teacher_similarities: (B, B) cosine matrix of the teacher.
        k: Anchors per row, 1 <= k < B.
        kind: "least" or "most" similar to the row, "random" per row, or "shared": one random draw for all rows, so that
            coordinate j means the same sample in each row. A row's own column is never chosen, except in "shared",
            where the k rows that are anchors keep it (both teacher and student hold 1 there).
        generator: Source of randomness for "random" and "shared".

    Returns:
        (B, k) long, column indices.

    Raises:
        StudyError: k is out of range for this batch, or the kind is unknown.
    """
    n_rows = teacher_similarities.shape[0]
    if not 1 <= k < n_rows:
        raise StudyError(
            f"{k} anchors cannot be chosen in a batch of {n_rows} samples",
            where="distill.anchors_k",
            expected=f"1 <= anchors_k < batch size, here at most {n_rows - 1}",
            todo="lower distill.anchors_k, where the method leaves it open, or raise the batch size"
            if k >= 1
            else "set distill.anchors_k to 1 or more",
        )
    if kind not in ANCHOR_KINDS:
        raise StudyError(
            f"anchors '{kind}' are not known{did_you_mean(kind, ANCHOR_KINDS)}",
            where="distill.anchors",
            expected=" | ".join(ANCHOR_KINDS),
        )
    device = teacher_similarities.device
    source = generator.device if generator is not None else device
    if kind == "shared":
        return torch.randperm(n_rows, generator=generator, device=source)[:k].to(device).expand(n_rows, k)
    scores = teacher_similarities.detach()
    if kind == "random":
        scores = torch.rand(n_rows, n_rows, generator=generator, device=source).to(device)
    scores = -scores if kind == "least" else scores
    return scores.masked_fill(torch.eye(n_rows, dtype=torch.bool, device=device), -torch.inf).topk(k).indices


def take(similarities: Tensor, anchors: Tensor) -> Tensor:
    """Returns (B, k): of each row of `similarities: (B, B)`, the columns that `anchors: (B, k)` names."""
    return similarities.gather(1, anchors)


def centroid_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """Returns | mean_i S^T_i - mean_i S^S_i |_2, a scalar >= 0 for (B, B) or (B, k) rows.

    0 iff the mean rows agree, where its gradient is 0 (a subgradient) instead of NaN.
    """
    teacher, student = at_least_float32(teacher, student)
    return torch.linalg.vector_norm(teacher.mean(0) - student.mean(0))


def cloud_transport(
    teacher_rows: Tensor,
    student_rows: Tensor,
    *,
    epsilon: float = 0.01,
    max_iterations: int = 1000,
    tolerance: float = 1e-3,
) -> DivergenceResult:
    """Debiased OT between the clouds of rows, each (B, k), cost 1/2 |x - y|^2: the released form, a scalar value.

    0 iff the two *sets* of rows are equal: permuting the student's rows changes nothing, so which sample is which is
    not seen. `row_transport` sees it.
    """
    return sinkhorn_divergence(
        teacher_rows, student_rows, epsilon=epsilon, max_iterations=max_iterations, tolerance=tolerance
    )


def row_transport(
    teacher_similarities: Tensor,
    student_similarities: Tensor,
    anchors: Tensor,
    *,
    temperature: float = 0.1,
    epsilon: float = 0.1,
    max_iterations: int = 1000,
    tolerance: float = 1e-3,
) -> DivergenceResult:
    """Debiased OT between teacher and student *row by row*, over anchors that all rows share: keeps identity.

    Row i gives each side a distribution over the anchors, p_i = softmax(S^T[i, anchors] / temperature) and q_i likewise
    from the student. Moving mass between two anchors costs 1 - their similarity *to the teacher* (detached), so
    confusing two anchors that the teacher finds alike is cheap. >= 0; 0 iff p_i = q_i in every row (as long as no two
    anchors coincide for the teacher), which fixes a row of similarities up to a constant.

    Args:
        teacher_similarities: (B, B) cosine matrix.
        student_similarities: (B, B) cosine matrix; receives the gradient, through q.
        anchors: (k,) long, shared by all rows (one row of `choose_anchors(..., "shared")`), or (B, k), each row's own;
            either way coordinate j of a row is the same sample to teacher and student.
        temperature: > 0, in units of cosine; small = only the nearest anchors count.
        epsilon: Entropic regularisation, in units of 1 - cosine.

    Returns:
        A result of scalars: `value` is the mean over rows, `converged` all of them, `marginal_error` the worst.
    """
    teacher, student = at_least_float32(teacher_similarities, student_similarities)
    k = anchors.shape[-1]
    of_rows = anchors.expand(len(teacher), k)
    p = (take(teacher, of_rows) / temperature).softmax(-1)
    q = (take(student, of_rows) / temperature).softmax(-1)
    # (k, k) where anchors are shared, else (B, k, k). A row's self-cost is 0 whatever rounding says.
    cost = 1.0 - teacher.detach()[anchors[..., :, None], anchors[..., None, :]]
    cost = cost.clamp_min(0.0) * (1.0 - torch.eye(k, dtype=cost.dtype, device=cost.device))
    limits: dict[str, Any] = {"epsilon": epsilon, "max_iterations": max_iterations, "tolerance": tolerance}
    if kernel_holds(cost, epsilon):
        shared = shared_cost_divergence(cost, p, q, **limits)
        error = shared.marginal_error.max()
        return DivergenceResult(shared.value.mean(), error <= tolerance, shared.n_iterations, error)
    rows = debiased_transport(cost, cost, cost, p, q, **limits)
    return DivergenceResult(rows.value.mean(), rows.converged.all(), rows.n_iterations, rows.marginal_error.max())
