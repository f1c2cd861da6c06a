"""Structure terms: the student's similarities within a batch against its teacher's, by optimal transport."""

from typing import Any

import torch
from torch import Tensor

from mtpkd_cli import ot
from mtpkd_cli.methods import Lesson
from mtpkd_cli.models.losses import Term


def structure_terms(
    lesson: Lesson,
    weights: Tensor,
    *,
    structure: str,
    anchors: str,
    anchors_k: int,
    epsilon: float,
    transport_weight: float,
    centroid_weight: float,
    tolerance: float = 1e-3,
) -> dict[str, Term]:
    """Transport and centroid terms between cos(H_t*) and cos(h_S), both over the B x B pairs of the batch.

    All teachers live in the joint one's space after alignment, so each sample may have a teacher of its own: row i of H
    is sum_t w_it a_t^i. Samples that no teacher could see are left out.

    Args:
        weights: (B, K) of `select`.
        structure: "rows", row-wise transport, which knows which sample is which; "clouds", the released form, of the
            similarities less the least of each side, which does not see which row belongs to which sample; or "fgw",
            fused Gromov-Wasserstein, which knows which sample is which and takes no anchors and no epsilon.
        anchors: Kind of anchors.
        anchors_k: Anchors k per row, less than the samples of the batch.
        epsilon: Entropic regularisation: in units of 1 - cosine for "rows", where 0.1 converges in tens of iterations;
            of half a squared distance for "clouds", where 0.01 was released.
        tolerance: Accepted error of the plan's marginals.

    Returns:
        "transport" and, where its weight is not 0, "centroid".
    """
    seen = weights.sum(1) > 0
    with torch.autocast(weights.device.type, enabled=False):
        # A product of constants: in half precision it would round the teacher before the float32 of what follows.
        embeddings = lesson.bank.embeddings
        represented = torch.einsum("bk,kbd->bd", weights.to(embeddings.dtype), embeddings)[seen]
    teacher = ot.cosine_similarities(represented)
    student = ot.cosine_similarities(lesson.student.embedding[seen])
    if structure == "fgw":
        transport = ot.fused_transport(teacher, student).value
    else:
        chosen = ot.choose_anchors(teacher, anchors_k, anchors, lesson.generator)
        limits: dict[str, Any] = {"epsilon": epsilon, "tolerance": tolerance}
        if structure == "rows":
            row_anchors = chosen[0] if anchors == "shared" else chosen
            transport = ot.row_transport(teacher, student, row_anchors, **limits).value
        else:
            clouds = (ot.take(ot.shifted(similarities), chosen) for similarities in (teacher, student))
            transport = ot.cloud_transport(*clouds, **limits).value
    terms = {"transport": Term(transport, transport_weight)}
    if centroid_weight:
        terms["centroid"] = Term(ot.centroid_distance(teacher, student), centroid_weight)
    return terms
