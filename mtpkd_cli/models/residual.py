"""Residual networks for pictures and for short clips, in torchvision's layout, so that its weights fit.

Written out in plain torch: torchvision is built for one version of torch, and nothing else of it is needed. Legend:
B batch, T frames, H and W pixels. `fc` is the classifier that the weights came with; features are what goes into it.

References:
    He et al., "Deep residual learning for image recognition", CVPR 2016 (ResNet-18).
    Tran et al., "A closer look at spatiotemporal convolutions for action recognition", CVPR 2018 (R3D, R(2+1)D).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

FEATURES = 512
_WIDTHS = (64, 128, 256, 512)
# Channels in and out, channels between space and time (of R(2+1)D only), stride.
ConvBuilder = Callable[[int, int, int, int], nn.Module]


class PictureResidualNetwork(nn.Module):
    """ResNet-18 of pictures: (B, 3, H, W) -> (B, n_classes)."""

    def __init__(self, n_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        pairs = zip((64, *_WIDTHS), _WIDTHS, strict=False)
        for number, (inside, outside) in enumerate(pairs, 1):
            blocks = _PictureBlock(inside, outside, 1 if number == 1 else 2), _PictureBlock(outside, outside, 1)
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(FEATURES, n_classes)

    def features(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) float -> (B, 512), the mean over places of the last layer."""
        values = torch.relu(self.bn1(self.conv1(pictures)))
        values = nn.functional.max_pool2d(values, 3, stride=2, padding=1)
        return _layers(self, values).mean(dim=(2, 3))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) float -> (B, n_classes) scores."""
        return self.fc(self.features(pictures))


class ClipResidualNetwork(nn.Module):
    """R3D-18, or R(2+1)D-18 where space and time are apart: (B, 3, T, H, W) -> (B, n_classes)."""

    def __init__(self, *, apart: bool, n_classes: int = 400) -> None:
        super().__init__()
        self.stem = _stem_apart() if apart else _stem()
        build = _convolution_apart if apart else _convolution
        pairs = zip((64, *_WIDTHS), _WIDTHS, strict=False)
        for number, (inside, outside) in enumerate(pairs, 1):
            first = _ClipBlock(inside, outside, 1 if number == 1 else 2, build)
            self.add_module(f"layer{number}", nn.Sequential(first, _ClipBlock(outside, outside, 1, build)))
        self.fc = nn.Linear(FEATURES, n_classes)

    def features(self, clips: Tensor) -> Tensor:
        """(B, 3, T, H, W) float -> (B, 512), the mean over times and places of the last layer."""
        return _layers(self, self.stem(clips)).mean(dim=(2, 3, 4))

    def forward(self, clips: Tensor) -> Tensor:
        """(B, 3, T, H, W) float -> (B, n_classes) scores."""
        return self.fc(self.features(clips))


class _PictureBlock(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        shortcut = nn.Conv2d(inside, outside, 1, stride=stride, bias=False), nn.BatchNorm2d(outside)
        self.downsample = nn.Sequential(*shortcut) if stride > 1 else None

    def forward(self, values: Tensor) -> Tensor:
        kept = values if self.downsample is None else self.downsample(values)
        values = torch.relu(self.bn1(self.conv1(values)))
        return torch.relu(self.bn2(self.conv2(values)) + kept)


class _ClipBlock(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int, build: ConvBuilder) -> None:
        super().__init__()
        # As many channels in between as give the (2+1)D block the parameters of the 3D one.
        between = (inside * outside * 27) // (inside * 9 + 3 * outside)
        self.conv1 = nn.Sequential(build(inside, outside, between, stride), nn.BatchNorm3d(outside), nn.ReLU())
        self.conv2 = nn.Sequential(build(outside, outside, between, 1), nn.BatchNorm3d(outside))
        shortcut = nn.Conv3d(inside, outside, 1, stride=stride, bias=False), nn.BatchNorm3d(outside)
        self.downsample = nn.Sequential(*shortcut) if stride > 1 else None

    def forward(self, values: Tensor) -> Tensor:
        kept = values if self.downsample is None else self.downsample(values)
        return torch.relu(self.conv2(self.conv1(values)) + kept)


def _layers(network: nn.Module, values: Tensor) -> Tensor:
    for number in range(1, len(_WIDTHS) + 1):
        values = network.get_submodule(f"layer{number}")(values)
    return values


def _convolution(inside: int, outside: int, _between: int, stride: int) -> nn.Module:
    return nn.Conv3d(inside, outside, 3, stride=stride, padding=1, bias=False)


def _convolution_apart(inside: int, outside: int, between: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(inside, between, (1, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1), bias=False),
        nn.BatchNorm3d(between),
        nn.ReLU(),
        nn.Conv3d(between, outside, (3, 1, 1), stride=(stride, 1, 1), padding=(1, 0, 0), bias=False),
    )


def _stem() -> nn.Module:
    first = nn.Conv3d(3, 64, (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False)
    return nn.Sequential(first, nn.BatchNorm3d(64), nn.ReLU())


def _stem_apart() -> nn.Module:
    space = nn.Conv3d(3, 45, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False)
    time = nn.Conv3d(45, 64, (3, 1, 1), padding=(1, 0, 0), bias=False)
    return nn.Sequential(space, nn.BatchNorm3d(45), nn.ReLU(), time, nn.BatchNorm3d(64), nn.ReLU())
