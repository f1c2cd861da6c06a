"""The output for a sample depends on that sample alone: not on batch mates, order, padding or absent content."""

import pytest
import torch
from torch import Tensor

from mtpkd_cli.models import ModalityBatch, Output, Student, Teacher

B, C, D_EMBEDDING = 7, 3, 6
SHAPES = {"face": (5, 5), "heart": (3, 2), "voice": (1, 4)}  # modality -> T, D
NO_HEART, NOTHING = 3, 5  # samples that lack one modality, or all
CLOSE = {"rtol": 0.0, "atol": 1e-5}

NETWORKS = {
    "teacher of 1": ("teacher", ["heart"]),
    "teacher of 2": ("teacher", ["face", "heart"]),
    "teacher of 3": ("teacher", ["face", "heart", "voice"]),
    "student of 1": ("student", ["heart"]),
    "student of 2": ("student", ["face", "heart"]),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def make_batch() -> ModalityBatch:
    """Samples of unequal lengths, one with a gap, one without heart and one without anything."""
    generator = torch.Generator().manual_seed(0)
    batch = {}
    for modality, (steps, size) in SHAPES.items():
        values = 3 * torch.randn(B, steps, size, generator=generator) + 1
        lengths = torch.randint(1, steps + 1, (B, 1), generator=generator)
        mask = torch.arange(steps) < lengths
        mask[NOTHING] = False
        batch[modality] = values, mask
    batch["face"][1][1] = torch.tensor([True, False, True, True, False])
    batch["heart"][1][NO_HEART] = False
    return batch


def make_network(name: str) -> Teacher | Student:
    """A network of random weights with fitted normalisers, in evaluation mode."""
    kind, modalities = NETWORKS[name]
    features = {modality: SHAPES[modality][1] for modality in modalities}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        sizes = {"outputs": C, "embedding": D_EMBEDDING, "heads": 2, "dropout": 0.3}
        network = Teacher(features, **sizes) if kind == "teacher" else Student(features, 2, **sizes)
        for layer in network.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.reset_parameters()  # none is silent, as after training
    network.trunk.fit_normalisers(make_batch())
    return network.eval()


def rows_of(batch: ModalityBatch, rows: Tensor) -> ModalityBatch:
    return {modality: (values[rows], mask[rows]) for modality, (values, mask) in batch.items()}


def assert_same(received: Output, expected: Output, rows: Tensor | None = None) -> None:
    for one, other in zip(received, expected, strict=True):
        torch.testing.assert_close(one, other if rows is None else other[rows], **CLOSE)


@every_network
@torch.no_grad()
def test_a_sample_alone_is_answered_as_in_its_batch(name: str) -> None:
    network, batch = make_network(name), make_batch()
    together = network(batch)
    assert together.logits.std(0).min() > 1e-2  # the answers differ, so that equality says something
    for i in range(B):
        row = torch.tensor([i])
        assert_same(network(rows_of(batch, row)), together, row)


@every_network
@torch.no_grad()
def test_order_and_repeated_batch_mates_change_nothing(name: str) -> None:
    network, batch = make_network(name), make_batch()
    rows = torch.tensor([6, 2, 2, 0, 5, 3, 2, 1, 4, 6, 2])
    assert_same(network(rows_of(batch, rows)), network(batch), rows)


@every_network
@pytest.mark.parametrize("padding", [1, 2, 9])
@torch.no_grad()
def test_padding_changes_nothing(name: str, padding: int) -> None:
    network, batch = make_network(name), make_batch()
    padded = {}
    for extra, (modality, (values, mask)) in enumerate(batch.items(), start=padding):
        filled = torch.cat([values, torch.full((B, extra, values.shape[2]), 1e3)], dim=1)
        padded[modality] = filled, torch.cat([mask, torch.zeros(B, extra, dtype=torch.bool)], dim=1)
    assert_same(network(padded), network(batch))


@every_network
@torch.no_grad()
def test_trimming_a_sample_to_its_own_length_changes_nothing(name: str) -> None:
    network, batch = make_network(name), make_batch()
    together = network(batch)
    for i in range(B):
        alone = {}
        for modality, (values, mask) in batch.items():
            steps = int(mask[i].nonzero().max()) + 1 if mask[i].any() else 1
            alone[modality] = values[i : i + 1, :steps], mask[i : i + 1, :steps]
        assert_same(network(alone), together, torch.tensor([i]))


@every_network
@pytest.mark.parametrize("content", [float("nan"), float("inf"), -float("inf"), 3e38, 0.0])
@torch.no_grad()
def test_the_content_of_absent_steps_never_matters(name: str, content: float) -> None:
    network, batch = make_network(name), make_batch()
    filled = {m: (torch.where(mask[:, :, None], values, content), mask) for m, (values, mask) in batch.items()}
    received, expected = network(filled), network(batch)
    for one, other in zip(received, expected, strict=True):
        assert torch.equal(one, other)


@every_network
def test_missing_modalities_give_finite_answers_and_finite_gradients(name: str) -> None:
    network, batch = make_network(name), make_batch()
    batch = {m: (torch.where(mask[:, :, None], values, torch.nan), mask) for m, (values, mask) in batch.items()}
    batch["heart"][0][0, 0, 1] = torch.nan  # a missing cell of a step that exists
    output = network(batch)
    for column in output:
        assert column.isfinite().all()
    output.logits.square().sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("teacher")])
@torch.no_grad()
def test_gates_sum_to_one_over_the_modalities_that_are_there(name: str) -> None:
    network, batch = make_network(name), make_batch()
    _, modalities = NETWORKS[name]
    gates = network(batch).gates
    present = torch.stack([batch[modality][1].any(1) for modality in modalities], dim=1)
    assert gates.shape == (B, len(modalities))
    assert (gates[~present] == 0).all()
    assert (gates[present] > 0).all()
    torch.testing.assert_close(gates.sum(1), present.any(1).float(), **CLOSE)
    if len(modalities) == 1:
        assert torch.equal(gates, present.float())


@every_network
@pytest.mark.parametrize("training", [False, True])
def test_the_jacobian_between_samples_is_exactly_zero(name: str, training: bool) -> None:
    network, batch = make_network(name).double().train(training), make_batch()
    modalities = NETWORKS[name][1]
    inputs = {m: batch[m][0].double().requires_grad_() for m in modalities}
    with torch.random.fork_rng():
        torch.manual_seed(2)
        logits = network({m: (inputs[m], batch[m][1]) for m in modalities}).logits
    for i in range(B):
        sensitivity = torch.zeros(())
        for c in range(C):
            for modality, gradient in zip(
                modalities, torch.autograd.grad(logits[i, c], list(inputs.values()), retain_graph=True), strict=True
            ):
                others = gradient[torch.arange(B) != i]
                assert torch.equal(others, torch.zeros_like(others)), modality
                sensitivity = sensitivity + gradient[i].abs().sum()
        sees_something = any(batch[m][1][i].any() for m in modalities)
        assert (sensitivity > 0) == sees_something
