"""The residual networks against torchvision's names and sizes, and against the same sums written as functions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from mtpkd_cli.errors import DataError
from mtpkd_cli.models.residual import ClipResidualNetwork, PictureResidualNetwork
from mtpkd_cli.models.stored_weights import load_weights

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
NETWORKS = {
    "resnet18": PictureResidualNetwork,
    "r3d18": lambda: ClipResidualNetwork(apart=False),
    "r2plus1d18": lambda: ClipResidualNetwork(apart=True),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(3)
    built: nn.Module = NETWORKS[request.param]()
    built.name = request.param
    # Fresh statistics are 0 and 1, which would hide a mix-up.
    with torch.no_grad():
        for name, buffer in built.named_buffers():
            if buffer.is_floating_point():
                buffer.copy_(torch.rand_like(buffer) + (0.5 if name.endswith("var") else -0.5))
        for name, value in built.named_parameters():
            if value.ndim == 1:
                value.copy_(torch.rand_like(value) + 0.5 * name.endswith("weight"))
    return built.eval()


def torchvision_names(kind: str) -> Iterator[str]:
    """The names as torchvision 0.20 prints them, by its own rules of naming."""
    convolution = {"resnet18": [""], "r3d18": [".0"], "r2plus1d18": [".0.0", ".0.3"]}[kind]
    if kind == "resnet18":
        yield "conv1.weight"
        yield from (f"bn1.{n}" for n in NORM)
    else:
        yield "stem.0.weight"
        yield from (f"stem.1.{n}" for n in NORM)
        if kind == "r2plus1d18":
            yield "stem.3.weight"
            yield from (f"stem.4.{n}" for n in NORM)
    for layer in range(1, 5):
        for block in (f"layer{layer}.0", f"layer{layer}.1"):
            for number in (1, 2):
                yield from (f"{block}.conv{number}{place}.weight" for place in convolution)
                if kind == "r2plus1d18":
                    yield from (f"{block}.conv{number}.0.1.{n}" for n in NORM)
                norm = f"bn{number}" if kind == "resnet18" else f"conv{number}.1"
                yield from (f"{block}.{norm}.{n}" for n in NORM)
        if layer > 1:
            yield f"layer{layer}.0.downsample.0.weight"
            yield from (f"layer{layer}.0.downsample.1.{n}" for n in NORM)
    yield from ("fc.weight", "fc.bias")


def test_names_and_numbers_of_parameters_are_torchvisions(network: nn.Module) -> None:
    assert set(network.state_dict()) == set(torchvision_names(network.name))
    published = {"resnet18": 11_689_512, "r3d18": 33_371_472, "r2plus1d18": 31_505_325}
    assert sum(p.numel() for p in network.parameters()) == published[network.name]


def restated(kind: str, w: dict[str, Tensor], x: Tensor) -> Tensor:
    """The network as sums over its weights by name; nothing of the module's own code."""

    def norm(v: Tensor, at: str) -> Tensor:
        wide = (1, -1, *[1] * (v.ndim - 2))
        mean, var, scale, shift = (w[f"{at}.{n}"].view(wide) for n in ("running_mean", "running_var", "weight", "bias"))
        return (v - mean) / torch.sqrt(var + 1e-5) * scale + shift

    def conv(v: Tensor, at: str, stride: int) -> Tensor:
        if kind == "resnet18":
            return F.conv2d(v, w[f"{at}.weight"], stride=stride, padding=1)
        if kind == "r3d18":
            return F.conv3d(v, w[f"{at}.0.weight"], stride=stride, padding=1)
        v = F.conv3d(v, w[f"{at}.0.0.weight"], stride=(1, stride, stride), padding=(0, 1, 1))
        return F.conv3d(norm(v, f"{at}.0.1").relu(), w[f"{at}.0.3.weight"], stride=(stride, 1, 1), padding=(1, 0, 0))

    def normed(v: Tensor, block: str, number: int) -> Tensor:
        return norm(v, f"{block}.bn{number}" if kind == "resnet18" else f"{block}.conv{number}.1")

    if kind == "resnet18":
        x = F.max_pool2d(norm(F.conv2d(x, w["conv1.weight"], stride=2, padding=3), "bn1").relu(), 3, 2, 1)
    elif kind == "r3d18":
        x = norm(F.conv3d(x, w["stem.0.weight"], stride=(1, 2, 2), padding=(1, 3, 3)), "stem.1").relu()
    else:
        x = norm(F.conv3d(x, w["stem.0.weight"], stride=(1, 2, 2), padding=(0, 3, 3)), "stem.1").relu()
        x = norm(F.conv3d(x, w["stem.3.weight"], padding=(1, 0, 0)), "stem.4").relu()
    for layer in range(1, 5):
        for number in range(2):
            block, stride = f"layer{layer}.{number}", 2 if layer > 1 and number == 0 else 1
            kept = x
            if stride == 2:
                kernel = w[f"{block}.downsample.0.weight"]
                kept = (F.conv2d if kernel.ndim == 4 else F.conv3d)(x, kernel, stride=2)
                kept = norm(kept, f"{block}.downsample.1")
            x = normed(conv(x, f"{block}.conv1", stride), block, 1).relu()
            x = (normed(conv(x, f"{block}.conv2", 1), block, 2) + kept).relu()
    return x.flatten(2).mean(2) @ w["fc.weight"].T + w["fc.bias"]


def test_the_sums_are_those_of_the_published_networks(network: nn.Module) -> None:
    shape = (2, 3, 37, 41) if network.name == "resnet18" else (2, 3, 5, 24, 19)
    given = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(
            network(given), restated(network.name, network.state_dict(), given), rtol=1e-3, atol=1e-3
        )
        assert network.features(given).shape == (2, 512)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_come_back_from_a_file_whatever_its_classifier(tmp_path: Path, suffix: str) -> None:
    source, target = PictureResidualNetwork(n_classes=7), PictureResidualNetwork()
    path = tmp_path / f"w{suffix}"
    state = source.state_dict()
    torch.save({"state_dict": state}, path) if suffix == ".pth" else save_file(state, path)
    load_weights(target, path)
    for name, value in target.state_dict().items():
        assert name.startswith("fc.") or torch.equal(value, state[name])


def test_weights_of_another_network_are_refused_with_what_is_missing(tmp_path: Path) -> None:
    torch.save(PictureResidualNetwork().state_dict(), tmp_path / "w.pth")
    with pytest.raises(DataError, match=r"(?s)missing:\n  - stem\.0\.weight.*foreign:\n  - conv1\.weight"):
        load_weights(ClipResidualNetwork(apart=True), tmp_path / "w.pth")
    torch.save(ClipResidualNetwork(apart=True).state_dict(), tmp_path / "w.pth")
    with pytest.raises(DataError, match=r"stem\.0\.weight: \(45, 3, 1, 7, 7\), expected \(64, 3, 3, 7, 7\)"):
        load_weights(ClipResidualNetwork(apart=False), tmp_path / "w.pth")


def test_a_file_that_is_no_weights_is_refused_and_runs_no_code(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("not weights")
    (tmp_path / "text.safetensors").write_text("not weights")
    torch.save({"a": 1}, tmp_path / "number.pth")
    torch.save(nn.Linear(2, 2), tmp_path / "module.pth")  # a whole module: reading it would run code
    for name in ("text.pth", "text.safetensors", "number.pth", "module.pth", "none.pth"):
        with pytest.raises(DataError):
            load_weights(PictureResidualNetwork(), tmp_path / name)
