"""Attention, pooling, fusion and the code of time: what an absent key, step or modality means, exactly."""

import math

import pytest
import torch

from mtpkd_cli.models import Fusion
from mtpkd_cli.models.attention import Attention, pool
from mtpkd_cli.models.temporal import time_code

B, T, S, D = 7, 5, 3, 6


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_attention(heads: int = 2) -> Attention:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Attention(D, heads)


@torch.no_grad()
def test_attention_without_any_key_gives_exactly_zero() -> None:
    queries, keys = torch.randn(B, T, D, generator=generator()), torch.randn(B, S, D, generator=generator(1))
    mask = torch.ones(B, S, dtype=torch.bool)
    mask[2] = False
    attended = make_attention()(queries, keys, mask)
    assert torch.equal(attended[2], torch.zeros(T, D))
    assert (attended[[0, 1, 3, 4, 5, 6]].abs().amax((1, 2)) > 1e-3).all()


@pytest.mark.parametrize("heads", [1, 2, 3])
@torch.no_grad()
def test_attention_equals_a_softmax_over_the_keys_and_a_zero_key(heads: int) -> None:
    attention = make_attention(heads).double()
    queries = torch.randn(B, T, D, generator=generator(), dtype=torch.float64)
    keys = torch.randn(B, S, D, generator=generator(1), dtype=torch.float64)
    mask = torch.rand(B, S, generator=generator(2)) < 0.6
    expected = torch.zeros(B, T, D, dtype=torch.float64)
    size = D // heads
    for b in range(B):
        there = keys[b][mask[b]]
        query, (key, value) = attention.query(queries[b]), attention.key_value(there).chunk(2, dim=-1)
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            weight = (query[:, part] @ key[:, part].T / math.sqrt(size)).exp()
            # exp(0) = 1 for the zero key, whose value is zero.
            expected[b, :, part] = weight @ value[:, part] / (1 + weight.sum(1, keepdim=True))
    torch.testing.assert_close(attention(queries, keys, mask), attention.out(expected))


def test_pool_is_mean_and_maximum_of_the_steps_that_exist() -> None:
    tokens = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [99.0, 99.0]], [[5.0, 6.0], [7.0, 8.0], [9.0, 0.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert pool(tokens, mask).tolist() == [[2.0, -3.0, 3.0, -2.0], [0.0, 0.0, 0.0, 0.0]]


@torch.no_grad()
def test_for_two_modalities_the_gate_is_the_sigmoid_of_a_linear_score() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fusion = Fusion(2, D, 2, 0.0).eval()
    tokens = [torch.randn(B, T, D, generator=generator()), torch.randn(B, S, D, generator=generator(1))]
    masks = [torch.ones(B, T, dtype=torch.bool), torch.ones(B, S, dtype=torch.bool)]
    levels = [torch.randn(B, D, generator=generator(2)), torch.randn(B, D, generator=generator(3))]
    for summary in fusion.summaries:
        summary.reset_parameters()
    attended = [fusion._attend_to_others(m, tokens, masks) for m in (0, 1)]
    pooled = [
        level + summary(pool(t, m))
        for summary, t, m, level in zip(fusion.summaries, attended, masks, levels, strict=True)
    ]
    w, bias = fusion.gate.weight[0] - fusion.gate.weight[1], fusion.gate.bias[0] - fusion.gate.bias[1]
    gate = torch.sigmoid(torch.cat(pooled, dim=1) @ w + bias)[:, None]
    embedding, gates = fusion(tokens, masks, levels)
    torch.testing.assert_close(gates[:, :1], gate)
    torch.testing.assert_close(embedding, gate * pooled[0] + (1 - gate) * pooled[1])


@torch.no_grad()
def test_fusion_starts_as_the_gated_levels_alone_and_keeps_their_size() -> None:
    fusion = Fusion(2, D, 2, 0.0).eval()
    tokens = [torch.randn(B, T, D, generator=generator()), torch.randn(B, S, D, generator=generator(1))]
    masks = [torch.ones(B, T, dtype=torch.bool), torch.ones(B, S, dtype=torch.bool)]
    levels = [torch.randn(B, D, generator=generator(2)), torch.randn(B, D, generator=generator(3))]
    embedding, gates = fusion(tokens, masks, levels)
    torch.testing.assert_close(embedding, gates[:, :1] * levels[0] + gates[:, 1:] * levels[1])
    masks[0][:] = False
    torch.testing.assert_close(fusion(tokens, masks, [level * 9 for level in levels])[0], 9 * levels[1])


@torch.no_grad()
def test_each_modality_changes_what_the_other_says() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fusion = Fusion(2, D, 2, 0.0).eval()
    tokens = [torch.randn(B, T, D, generator=generator()), torch.randn(B, S, D, generator=generator(1))]
    masks = [torch.ones(B, T, dtype=torch.bool), torch.ones(B, S, dtype=torch.bool)]
    before = fusion._attend_to_others(0, tokens, masks)
    assert not torch.allclose(before, fusion._attend_to_others(0, [tokens[0], -tokens[1]], masks))


@pytest.mark.parametrize("embedding", [1, 2, 7, 64])
def test_the_code_of_time_has_any_size_and_tells_steps_apart(embedding: int) -> None:
    code = time_code(5, embedding)
    assert code.shape == (5, embedding)
    assert code.abs().max() <= 0.5
    distance = torch.cdist(code, code) + torch.eye(5)
    assert distance.min() > 1e-2


def test_the_code_of_time_by_hand() -> None:
    code = time_code(3, 3)  # rates 1 and 1e-2, the last cosine cut off
    expected = [[0.5 * math.sin(t), 0.5 * math.cos(t), 0.5 * math.sin(t / 100)] for t in range(3)]
    torch.testing.assert_close(code, torch.tensor(expected))


def test_the_code_of_a_step_does_not_depend_on_the_number_of_steps() -> None:
    assert torch.equal(time_code(9, 7)[:4], time_code(4, 7))
