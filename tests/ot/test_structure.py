"""Similarities, centroids, and the two structure losses: what each sees and what each cannot."""

import math

import ot as pot
import pytest
import torch

from mtpkd_cli.ot import (
    centroid_distance,
    choose_anchors,
    cloud_transport,
    cosine_similarities,
    debiased_transport,
    row_transport,
    take,
)

TIGHT = {"max_iterations": 20000, "tolerance": 1e-11}


def similarities(n_rows: int = 11, seed: int = 0, d: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return cosine_similarities(torch.randn(n_rows, d, generator=generator, dtype=torch.float64))


def shared_anchors(n_rows: int = 11, k: int = 4) -> torch.Tensor:
    return choose_anchors(similarities(n_rows), k, "shared", torch.Generator().manual_seed(1))[0]


def test_cosine_similarities_of_three_rows_by_hand() -> None:
    h = torch.tensor([[2.0, 0.0], [0.0, 5.0], [3.0, 3.0]])
    half = 1 / math.sqrt(2)
    torch.testing.assert_close(
        cosine_similarities(h), torch.tensor([[1.0, 0.0, half], [0.0, 1.0, half], [half, half, 1.0]])
    )


def test_cosine_similarities_are_float32_under_autocast_with_finite_gradients_at_zero_rows() -> None:
    h = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    h[3] = 0.0
    h.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        similarity = cosine_similarities(h)
    assert similarity.dtype == torch.float32
    torch.testing.assert_close(similarity, cosine_similarities(h.float()))
    similarity.square().sum().backward()
    assert h.grad is not None
    assert h.grad.isfinite().all()


def test_centroid_distance_of_three_samples_by_hand() -> None:
    teacher = torch.tensor([[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]])
    student = torch.tensor([[0.0, 0.0], [0.0, -9.0], [-3.0, 0.0]])
    # Mean rows (2, 1) and (-1, -3): a 3-4-5 triangle.
    assert centroid_distance(teacher, student).item() == pytest.approx(5.0)


def test_centroid_distance_is_zero_with_zero_gradient_where_the_means_agree() -> None:
    teacher = similarities()
    student = teacher[torch.randperm(11, generator=torch.Generator().manual_seed(0))].clone().requires_grad_()
    for rows in (student, student * 1.0):
        value = centroid_distance(rows.detach(), rows)
        (slope,) = torch.autograd.grad(value, student)
        assert value.item() == 0.0
        assert (slope == 0).all()


def test_cloud_transport_does_not_see_which_student_is_which_and_row_transport_does() -> None:
    teacher, anchors = similarities(), shared_anchors()
    permuted = teacher[torch.arange(11).roll(4)]
    columns = choose_anchors(teacher, 4, "shared", torch.Generator().manual_seed(1))
    cloud = cloud_transport(take(teacher, columns), take(permuted, columns))
    assert cloud.value.item() == pytest.approx(0.0, abs=1e-5)
    assert row_transport(teacher, permuted, anchors).value.item() > 0.05


def test_permuting_an_imperfect_student_leaves_cloud_transport_and_changes_row_transport() -> None:
    teacher, student, anchors = similarities(), similarities(seed=5), shared_anchors()
    permuted = student[torch.arange(11).roll(4)]
    clouds = [cloud_transport(teacher[:, anchors], s[:, anchors], tolerance=1e-9).value for s in (student, permuted)]
    rows = [row_transport(teacher, s, anchors, **TIGHT).value for s in (student, permuted)]
    torch.testing.assert_close(clouds[0], clouds[1])
    assert abs(rows[0] - rows[1]) > 1e-3


def test_row_transport_is_zero_iff_the_rows_agree_up_to_a_constant() -> None:
    teacher, anchors = similarities(), shared_anchors()
    offsets = torch.linspace(-1, 1, 11, dtype=torch.float64)[:, None]
    for student in (teacher, teacher + offsets):
        assert row_transport(teacher, student, anchors).value.item() == pytest.approx(0.0, abs=1e-7)
    one_entry = teacher.clone()
    one_entry[6, anchors[2]] += 0.2
    assert row_transport(teacher, one_entry, anchors, temperature=0.5, **TIGHT).value.item() > 1e-6


def test_row_transport_ignores_columns_that_are_no_anchors() -> None:
    teacher, student, anchors = similarities(), similarities(seed=5), shared_anchors()
    before = row_transport(teacher, student, anchors).value
    student[:, [j for j in range(11) if j not in anchors.tolist()]] = 0.0
    assert torch.equal(before, row_transport(teacher, student, anchors).value)


def test_row_transport_is_the_mean_over_rows_of_pots_debiased_transport() -> None:
    teacher, student, anchors = similarities(), similarities(seed=5), shared_anchors()
    cost = (1 - teacher[anchors][:, anchors]).fill_diagonal_(0.0).clamp_min(0.0)

    def entropic(p: torch.Tensor, q: torch.Tensor) -> float:
        args = p.numpy(), q.numpy(), cost.numpy(), 0.2
        plan = torch.from_numpy(pot.sinkhorn(*args, method="sinkhorn_log", stopThr=1e-12, numItermax=100000))
        return float((plan * cost).sum() + 0.2 * torch.xlogy(plan, plan / (p[:, None] * q)).sum())

    p, q = ((s[:, anchors] / 0.3).softmax(-1) for s in (teacher, student))
    expected = sum(entropic(p[i], q[i]) - 0.5 * (entropic(p[i], p[i]) + entropic(q[i], q[i])) for i in range(11)) / 11
    received = row_transport(teacher, student, anchors, temperature=0.3, epsilon=0.2, **TIGHT)
    assert received.converged
    assert received.value.shape == received.converged.shape == received.marginal_error.shape == ()
    assert received.value.item() == pytest.approx(expected, rel=1e-7)
    default = row_transport(teacher, student, anchors, temperature=0.3, epsilon=0.2)
    assert default.value.item() == pytest.approx(expected, rel=1e-3)


def test_row_transport_gradient_matches_finite_differences() -> None:
    teacher, student = similarities(5), similarities(5, seed=5).requires_grad_()
    anchors = shared_anchors(5, 3)
    assert torch.autograd.gradcheck(
        lambda s: row_transport(teacher, s, anchors, temperature=0.5, epsilon=0.2, **TIGHT).value, (student,)
    )


def test_losses_give_no_gradient_to_a_detached_teacher_and_some_to_the_student() -> None:
    h = torch.randn(11, 5, generator=torch.Generator().manual_seed(7), requires_grad=True)
    teacher, anchors = similarities().float(), shared_anchors()
    student = cosine_similarities(h)
    losses = (
        cloud_transport(teacher[:, anchors], student[:, anchors]).value,
        row_transport(teacher, student, anchors).value,
        centroid_distance(teacher, student),
    )
    for loss in losses:
        (slope,) = torch.autograd.grad(loss, h, retain_graph=True)
        assert slope.isfinite().all()
        assert slope.abs().max() > 0
    assert teacher.grad is None


def test_the_ground_cost_of_row_transport_sends_no_gradient_to_the_teacher() -> None:
    # Only p may carry one; with p and q both at the anchors' own rows left out, nothing else depends on the teacher.
    teacher = similarities().requires_grad_()
    student, anchors = similarities(seed=5), shared_anchors()
    (slope,) = torch.autograd.grad(row_transport(teacher, student, anchors, **TIGHT).value, teacher)
    # A softmax's gradient sums to zero over its row; one through the cost would not.
    torch.testing.assert_close(slope.sum(1), torch.zeros(11, dtype=torch.float64), rtol=0, atol=1e-12)


def test_similarities_at_the_coldest_temperature_stay_finite() -> None:
    # Weights underflow to exact zeros here.
    teacher, anchors = similarities().float(), shared_anchors()
    student = similarities(seed=5).float().requires_grad_()
    result = row_transport(teacher, student, anchors, temperature=1e-3)
    result.value.backward()
    assert result.value.isfinite()
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_anchors_of_each_row_s_own_equal_shared_ones_where_they_are_the_same() -> None:
    teacher, student, anchors = similarities(7, seed=1), similarities(7, seed=2), shared_anchors(7, 3)
    shared = row_transport(teacher, student, anchors, **TIGHT).value
    expanded = row_transport(teacher, student, anchors.expand(7, 3), **TIGHT).value
    assert expanded.item() == pytest.approx(shared.item(), rel=1e-9)


def test_anchors_of_each_row_s_own_equal_a_loop_over_rows() -> None:
    teacher, student = similarities(7, seed=1), similarities(7, seed=2)
    anchors = choose_anchors(teacher, 3, "most")
    rows = []
    for i in range(7):
        cost = 1 - teacher[anchors[i]][:, anchors[i]]
        p, q = ((s[i, anchors[i]] / 0.1).softmax(-1) for s in (teacher, student))
        rows.append(debiased_transport(cost, cost, cost, p, q, epsilon=0.1, **TIGHT).value)
    together = row_transport(teacher, student, anchors, **TIGHT).value
    assert together.item() == pytest.approx(torch.stack(rows).mean().item(), rel=1e-6)
