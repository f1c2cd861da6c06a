"""Optimal transport and similarity structure: mathematics only, flat arguments, any device.

Legend: B batch, d embedding, k anchors per row, n and m points of two clouds, `...` any batch shape.
Half precision input is computed in float32, also under autocast; float64 stays float64.
"""

from mtpkd_cli.ot.cost import cosine_cost, half_squared_euclidean
from mtpkd_cli.ot.fused import FusedResult, fused_transport
from mtpkd_cli.ot.sinkhorn import (
    DivergenceResult,
    SinkhornResult,
    debiased_transport,
    sinkhorn,
    sinkhorn_divergence,
)
from mtpkd_cli.ot.structure import (
    ANCHOR_KINDS,
    centroid_distance,
    choose_anchors,
    cloud_transport,
    cosine_similarities,
    row_transport,
    shifted,
    take,
)

__all__ = [
    "ANCHOR_KINDS",
    "DivergenceResult",
    "FusedResult",
    "SinkhornResult",
    "centroid_distance",
    "choose_anchors",
    "cloud_transport",
    "cosine_cost",
    "cosine_similarities",
    "debiased_transport",
    "fused_transport",
    "half_squared_euclidean",
    "row_transport",
    "shifted",
    "sinkhorn",
    "sinkhorn_divergence",
    "take",
]
