"""In training a branch is silent for half of the samples, as a whole; in evaluation it is always there."""

import pytest
import torch

from mtpkd_cli.models import Student, Teacher
from mtpkd_cli.models.branches import StochasticDepth
from mtpkd_cli.training.seeding import seeded

B = 4000


def test_a_sample_is_silent_or_louder_by_the_share_that_is_silent() -> None:
    branch = torch.rand(B, 3, 5) + 1
    with seeded(0):
        depth = StochasticDepth(0.25).train()
        heard = depth.heard(B, branch.device)
    assert heard is not None
    output = depth(branch[heard], heard, B)
    silent = (output == 0).flatten(1)
    assert torch.equal(silent.all(1), silent.any(1))
    assert silent.all(1).float().mean() == pytest.approx(0.25, abs=0.03)
    torch.testing.assert_close(output[~silent.all(1)], branch[~silent.all(1)] / 0.75)


def test_evaluation_and_no_depth_change_nothing() -> None:
    branch = torch.randn(7, 4)
    for depth in (StochasticDepth(0.5).eval(), StochasticDepth(0.0).train()):
        heard = depth.heard(7, branch.device)
        assert heard is None
        assert torch.equal(depth(branch, heard, 7), branch)


def test_no_sample_is_no_error() -> None:
    depth = StochasticDepth(0.5).train()
    assert depth(torch.zeros(0, 2, 3), depth.heard(0, torch.device("cpu")), 0).shape == (0, 2, 3)


@pytest.mark.parametrize(("kind", "n_embeddings"), [("joint teacher", 2), ("teacher", 1), ("fusion", 2), ("mlp", 1)])
def test_a_fusion_of_several_modalities_is_silent_and_nothing_else(kind: str, n_embeddings: int) -> None:
    """All samples are alike, but for what is left out: there are one embedding, or two that are as frequent."""
    sizes = {"embedding": 6, "heads": 2, "dropout": 0.0, "stochastic_depth": 0.5}
    features = {"face": 3, "eda": 2} if kind == "joint teacher" else {"face": 3}
    with seeded(0):
        network = Teacher(features, 2, **sizes) if "teacher" in kind else Student(features, 1, 2, kind=kind, **sizes)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        values = {name: torch.randn(1, 5, size).expand(B, 5, size) for name, size in features.items()}
        batch = {name: (value, torch.ones(B, 5, dtype=torch.bool)) for name, value in values.items()}
        with torch.no_grad():
            embeddings = network.train()(batch).embedding
    counts = embeddings.mul(1e3).round().unique(dim=0, return_counts=True)[1]
    assert len(counts) == n_embeddings
    assert counts.min() > 0.9 * B / n_embeddings


def test_a_silent_sample_costs_no_tokens_and_the_others_get_what_they_would_alone() -> None:
    """In training tokens are computed for the samples that are heard; their gradients are those of all samples."""
    sizes = {"embedding": 6, "heads": 2, "dropout": 0.0}
    features = {"face": 3, "eda": 2}
    with seeded(0):
        network = Teacher(features, 2, **sizes, stochastic_depth=0.5)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        batch = {n: (torch.randn(9, 5, size), torch.ones(9, 5, dtype=torch.bool)) for n, size in features.items()}
    seen: list[int] = []
    network.trunk.encoders[0].project.register_forward_hook(lambda _, __, tokens: seen.append(len(tokens)))
    with seeded(4):
        heard = network.trunk.fusion.depth.train().heard(9, torch.device("cpu"))
    assert heard is not None
    assert 0 < len(heard) < 9
    with seeded(4):
        embeddings = network.train()(batch).embedding
    assert seen == [len(heard)]
    alone = network.eval()({n: (values[heard], mask[heard]) for n, (values, mask) in batch.items()}).embedding
    silent = torch.tensor([i for i in range(9) if i not in heard.tolist()])
    for summary in network.trunk.fusion.summaries:
        torch.nn.init.zeros_(summary.weight)
        torch.nn.init.zeros_(summary.bias)
    level = network(batch).embedding
    torch.testing.assert_close(embeddings[silent], level[silent])
    assert not torch.allclose(alone, level[heard], atol=1e-2)  # summaries say something where they are heard
    assert not torch.allclose(embeddings[heard], level[heard], atol=1e-2)
