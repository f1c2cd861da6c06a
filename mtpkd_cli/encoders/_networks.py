"""What the encoders that run a network share: options, loading it once per process, and windows of crops.

Legend: T frames, S side of a crop, W windows or steps, D features.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from mtpkd_cli.config import Options
from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._faces import CropNotes, CropOptions, Crops, absolute, face_files, iter_crops
from mtpkd_cli.encoders._picture_quality import PictureWatch
from mtpkd_cli.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor, nn

# Means and deviations of red, green and blue that torchvision's weights were trained with.
PICTURE_COLOURS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP_COLOURS = ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))

Colours = tuple[tuple[float, ...], tuple[float, ...]]
Kind = Literal["resnet18", "r3d18", "r2plus1d18"]


class DeviceOptions(Options):
    """Where a network runs."""

    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the network runs; each worker loads one.")


class NetworkOptions(CropOptions, DeviceOptions):
    """Options of encoders whose weights are a file."""

    weights: str = Field(description="Absolute path of the weights, .pth or .safetensors in torchvision's layout.")

    @field_validator("weights")
    @classmethod
    def _whole_path(cls, path: str) -> str:
        return absolute(path)


def weights_of(config: NetworkOptions) -> list[Path]:
    """The files that features depend on besides the media: weights and face model."""
    return [Path(config.weights).expanduser(), *face_files(config)]


def network_of(kind: Kind, config: NetworkOptions) -> Any:
    """Returns the network with its weights, ready to run; raises DataError as `load_weights` does."""
    path = weights_of(config)[0]
    if not path.is_file():
        raise DataError("there is no such file of weights", where=path, todo="set the encoder's option weights")
    state = path.stat()
    return _loaded(kind, path, (state.st_mtime_ns, state.st_size), config.device)


@lru_cache(maxsize=1)
def _loaded(kind: Kind, path: Path, _state: tuple[int, int], device: str) -> "nn.Module":
    from mtpkd_cli.models.residual import ClipResidualNetwork, PictureResidualNetwork
    from mtpkd_cli.models.stored_weights import load_weights

    network = PictureResidualNetwork() if kind == "resnet18" else ClipResidualNetwork(apart=kind == "r2plus1d18")
    load_weights(network, path)
    return network.eval().to(device)


def colours_of(settings: Mapping[str, Any]) -> Colours:
    """Means and deviations that a model's preprocessor_config.json states; ImageNet's where it states none."""
    mean, deviation = PICTURE_COLOURS
    return tuple(settings.get("image_mean") or mean), tuple(settings.get("image_std") or deviation)


def normalise(pixels: np.ndarray, colours: Colours, device: str) -> "Tensor":
    """(T, S, S, 3) uint8 -> (T, 3, S, S) float on the device, standardised per colour."""
    import torch

    mean, deviation = (torch.tensor(values, device=device).view(3, 1, 1) for values in colours)
    # Bytes travel to the device, not the floats that are made of them.
    planes = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float()
    return (planes / 255.0 - mean) / deviation


def encode_windows(
    segment: Segment,
    config: CropOptions,
    *,
    window: int,
    hop: int,
    run: Callable[[np.ndarray], np.ndarray],
    name: str,
    pad: bool = True,
) -> Features:
    """Encodes windows of frames.

    Args:
        window: Frames in a window.
        hop: Frames from the start of a window to that of the next, at most `window`.
        run: (window, S, S, 3) uint8 -> (D,) float.
        name: What the columns are called, with their number.
        pad: Whether the last window repeats its last frame up to the full length; else it is given as it is.

    Returns:
        Features with a step per window, the last one where it adds frames to the one before. Notes count frames, frames
        without a face nearby, windows that are not full, videos read by PyAV, and seconds by which the
        segment passes the video's end.
    """
    counts, values, times_s, short, watch = CropNotes(), [], [], 0, PictureWatch()
    for pixels, stamps in _windows(_counted(iter_crops(segment, config, watch), counts), window, hop):
        missing = window - len(pixels)
        short += int(missing > 0)
        filled = np.concatenate([pixels, np.repeat(pixels[-1:], missing, axis=0)]) if pad and missing else pixels
        values.append(run(filled))
        times_s.append((stamps[0] + stamps[-1]) / 2)
    stacked = np.stack(values).astype(np.float32)
    notes = counts.notes(segment) | {"short_windows": short}
    names, quality = tuple(f"{name}_{i}" for i in range(stacked.shape[1])), watch.quality(segment)
    return Features(stacked, np.array(times_s), names, notes, quality=quality)


def _counted(parts: Iterator[Crops], counts: CropNotes) -> Iterator[Crops]:
    for part in parts:
        counts.add(part)
        yield part


def _windows(parts: Iterator[Crops], window: int, hop: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields (n, S, S, 3) crops and (n,) times of every window, n <= window in the last."""
    pixels, times_s, covered = np.empty(0), np.empty(0), 0
    for part in parts:
        pixels = np.concatenate([pixels, part.pixels]) if len(pixels) else part.pixels
        times_s = np.concatenate([times_s, part.times_s])
        while len(pixels) >= window:
            yield pixels[:window], times_s[:window]
            # How many of the frames that are kept for the next window have been seen in this one.
            covered = max(0, window - hop)
            pixels, times_s = pixels[hop:], times_s[hop:]
    if len(pixels) > covered:
        yield pixels, times_s
