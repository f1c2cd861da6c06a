"""Alignment on a toy problem: what falls, what is frozen, and what no gradient may reach."""

from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from mtpkd_cli.models import Teacher
from mtpkd_cli.models.losses import cosine_distance, task_loss
from mtpkd_cli.training import alignment as alignment_module
from mtpkd_cli.training.alignment import Alignment, fit_alignment
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.seeding import seeded
from mtpkd_cli.training.teachers import apply

N, D_EMBEDDING, C, OTHERS = 41, 6, 2, ["face", "heart"]
TRAIN, VALIDATION = torch.arange(29), torch.arange(29, N)
SIZES = {"face": (4, 3), "heart": (2, 2)}  # modality -> T, D
OPTIONS: dict[str, Any] = {
    "epochs": 12,
    "batch_size": 9,
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "warmup_share": 0.1,
    "patience": 12,
}


class Toy:
    """A joint teacher of two modalities and two teachers whose embeddings are turned copies of the joint one's."""

    def __init__(self, task: str = "classification", adapter: str = "mlp") -> None:
        generator = torch.Generator().manual_seed(0)
        sequences = {
            name: (torch.randn(N, *shape, generator=generator), torch.ones(N, shape[0], dtype=torch.bool))
            for name, shape in SIZES.items()
        }
        level = sequences["face"][0].mean((1, 2))
        labels = (level > 0).long() if task == "classification" else torch.stack([level, -level], dim=1)
        self.data = StudyData(pd.DataFrame({"subject": [str(i) for i in range(N)]}), labels, sequences)
        with seeded(1):
            features = {name: shape[1] for name, shape in SIZES.items()}
            self.joint = Teacher(features, C, embedding=D_EMBEDDING, heads=2, dropout=0.1)
            for layer in self.joint.modules():
                if isinstance(layer, torch.nn.Linear):
                    layer.reset_parameters()  # none is small or silent, as after training
            self.alignment = Alignment(self.joint, OTHERS, embedding=D_EMBEDDING, outputs=C, adapter=adapter)
        joint = self.joint_embedding()
        turns = [torch.linalg.qr(torch.randn(D_EMBEDDING, D_EMBEDDING, generator=generator)).Q for _ in OTHERS]
        self.embeddings = {name: joint @ turn for name, turn in zip(OTHERS, turns, strict=True)}
        self.present = {name: torch.ones(N, dtype=torch.bool) for name in [*OTHERS, "joint"]}

    def joint_embedding(self) -> Tensor:
        return apply(self.joint, self.data, list(SIZES), torch.arange(N)).embedding

    @torch.no_grad()
    def distance(self, rows: Tensor) -> float:
        aligned = self.alignment({name: embedding[rows] for name, embedding in self.embeddings.items()})
        return sum(cosine_distance(a, self.joint_embedding()[rows]).item() for a, _ in aligned.values()) / len(aligned)

    def fit(self, **changes: Any) -> list[dict[str, Any]]:
        settings: dict[str, Any] = {"loss": "cosine", "align_weight": 0.5, "joint_learning_rate": 1e-3, "seed": 0}
        settings |= {key: value for key, value in changes.items() if key in settings}
        options = OPTIONS | {key: value for key, value in changes.items() if key in OPTIONS}
        rows = (TRAIN, VALIDATION)
        return fit_alignment(
            self.data, self.alignment, list(SIZES), self.embeddings, self.present, rows, options=options, **settings
        )


def state(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def unchanged(module: torch.nn.Module, before: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("adapter", ["mlp", "linear"])
def test_aligned_embeddings_come_near_the_joint_one_on_samples_that_were_not_learned_from(adapter: str) -> None:
    toy = Toy(adapter=adapter)
    before = toy.distance(VALIDATION)
    toy.fit(epochs=30, learning_rate=0.03)
    assert before > 0.5
    assert toy.distance(VALIDATION) < 0.2 * before


@pytest.mark.parametrize("loss", ["cosine", "mse", "mmd", "kl"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_no_gradient_of_the_alignment_reaches_the_joint_teacher(loss: str, task: str) -> None:
    toy = Toy(task)
    joint, adapters = state(toy.joint), state(toy.alignment.adapters)
    history = toy.fit(loss=loss, align_weight=1.0, joint_learning_rate=0.1, epochs=3)
    assert unchanged(toy.joint, joint)
    assert not unchanged(toy.alignment.adapters, adapters)
    assert min(entry["train"]["align"] for entry in history[1:]) < history[0]["train"]["align"]


def test_encoders_are_frozen_and_the_fusion_and_head_follow_their_own_rate() -> None:
    for rate, moves in ((1e-3, True), (0.0, False)):
        toy = Toy()
        encoders, fusion = state(toy.joint.trunk.encoders), state(toy.joint.trunk.fusion)
        head = state(toy.joint.head)
        toy.fit(joint_learning_rate=rate, weight_decay=0.1)
        assert unchanged(toy.joint.trunk.encoders, encoders)
        assert unchanged(toy.joint.trunk.fusion, fusion) is not moves
        assert unchanged(toy.joint.head, head) is not moves


def test_without_alignment_only_the_tasks_are_learned() -> None:
    toy = Toy()
    history = toy.fit(loss="none")
    assert all(entry["train"]["align"] == 0 for entry in history)
    assert history[-1]["train"]["task_adapted"] < history[0]["train"]["task_adapted"]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_validation_weighs_alignment_and_tasks_as_training_does(task: str) -> None:
    toy = Toy(task)
    best = min(entry["validation"] for entry in toy.fit(align_weight=0.3))
    rows = VALIDATION
    labels = toy.data.labels[rows]
    aligned = toy.alignment({name: embedding[rows] for name, embedding in toy.embeddings.items()})
    output = apply(toy.joint, toy.data, list(SIZES), rows)
    tasks = sum(task_loss(logits, labels) for _, logits in aligned.values()) / len(aligned)
    expected = 0.3 * toy.distance(rows) + 0.7 * (task_loss(output.logits, labels) + tasks)
    assert best == pytest.approx(expected.item(), rel=1e-4)


def test_what_a_teacher_says_of_samples_that_it_could_not_see_is_not_learned() -> None:
    weights = []
    for garbage in (0.0, 1e3):
        toy = Toy()
        toy.present["heart"][::3] = False
        toy.embeddings["heart"][::3] = garbage
        toy.fit(epochs=3)
        weights.append(state(toy.alignment))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_teacher_that_saw_nothing_at_all_is_left_alone() -> None:
    toy = Toy()
    toy.present["heart"][:] = False
    before = state(toy.alignment.adapters[1])
    toy.fit(epochs=2)
    assert unchanged(toy.alignment.adapters[1], before)


def test_the_same_seed_gives_the_same_alignment() -> None:
    toys = [Toy(), Toy(), Toy()]
    for toy, seed in zip(toys, (3, 3, 4), strict=True):
        toy.fit(seed=seed, epochs=2)
    assert unchanged(toys[1].alignment, state(toys[0].alignment))
    assert not unchanged(toys[2].alignment, state(toys[0].alignment))


def test_encoders_are_asked_once_for_each_sample_and_where_nothing_can_be_held_the_fit_is_the_same() -> None:
    asked: list[int] = []
    toys = [Toy(), Toy()]
    for toy in toys:
        toy.joint.trunk.encoders[0].register_forward_hook(lambda _, batch, __: asked.append(len(batch[0])))
    asked.clear()
    toys[0].fit(epochs=2)
    assert sum(asked) == N
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment_module, "HELD_BYTES", 0)
        toys[1].fit(epochs=2)
    assert sum(asked) > 2 * N
    torch.testing.assert_close(state(toys[1].alignment), state(toys[0].alignment), atol=1e-4, rtol=1e-3)
