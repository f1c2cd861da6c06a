"""Anchors: never the row itself, as a sort would choose them, and a clear word where there are too few samples."""

import pytest
import torch

from mtpkd_cli.errors import StudyError
from mtpkd_cli.ot import ANCHOR_KINDS, choose_anchors, cosine_similarities, take


def similarities(n_rows: int = 11) -> torch.Tensor:
    return cosine_similarities(torch.randn(n_rows, 5, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("kind", ["least", "most", "random"])
@pytest.mark.parametrize("k", [1, 3, 10])
def test_a_row_is_never_its_own_anchor_and_anchors_are_distinct(kind: str, k: int) -> None:
    anchors = choose_anchors(similarities(), k, kind, torch.Generator().manual_seed(0))
    assert anchors.shape == (11, k)
    assert anchors.dtype == torch.long
    assert (anchors != torch.arange(11)[:, None]).all()
    assert all(len(set(row)) == k for row in anchors.tolist())


@pytest.mark.parametrize(("kind", "descending"), [("least", False), ("most", True)])
def test_least_and_most_agree_with_a_sort(kind: str, descending: bool) -> None:
    similarity = similarities()
    anchors = choose_anchors(similarity, 3, kind)
    for i, row in enumerate(similarity.tolist()):
        others = sorted((j for j in range(11) if j != i), key=row.__getitem__, reverse=descending)
        assert anchors[i].tolist() == others[:3]


def test_shared_anchors_are_the_same_distinct_columns_in_every_row() -> None:
    anchors = choose_anchors(similarities(), 4, "shared", torch.Generator().manual_seed(0))
    assert anchors.shape == (11, 4)
    assert (anchors == anchors[0]).all()
    assert len(set(anchors[0].tolist())) == 4


@pytest.mark.parametrize("kind", ["random", "shared"])
def test_random_anchors_follow_the_generator(kind: str) -> None:
    draws = [choose_anchors(similarities(), 4, kind, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("kind", ANCHOR_KINDS)
@pytest.mark.parametrize("k", [11, 30, 0, -2])
def test_too_many_or_too_few_anchors_say_what_to_do(kind: str, k: int) -> None:
    with pytest.raises(StudyError, match=rf"{k} anchors cannot be chosen in a batch of 11") as caught:
        choose_anchors(similarities(), k, kind, torch.Generator())
    assert "distill.anchors_k" in str(caught.value)
    assert "at most 10" in str(caught.value)


def test_a_batch_of_one_has_no_anchors_and_an_unknown_kind_is_named() -> None:
    with pytest.raises(StudyError, match="1 anchors cannot be chosen in a batch of 1"):
        choose_anchors(torch.ones(1, 1), 1, "least")
    with pytest.raises(StudyError, match="did you mean 'least'"):
        choose_anchors(similarities(), 3, "leats")


def test_take_reads_each_row_at_its_own_anchors() -> None:
    matrix = torch.arange(9.0).reshape(3, 3)
    anchors = torch.tensor([[1, 2], [2, 0], [0, 1]])
    assert take(matrix, anchors).tolist() == [[1.0, 2.0], [5.0, 3.0], [6.0, 7.0]]
