"""What the encoders of transformers' models share: options, loading a model once per process, and its hidden states.

transformers is an optional library (`pip install 'mtpkd[hf]'`). A model is a folder that `save_pretrained` wrote, or a
name on the Hugging Face hub, which is then downloaded into the hub's cache. Code in a model's folder is never run.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from mtpkd_cli.encoders._networks import DeviceOptions
from mtpkd_cli.errors import DataError, StudyError, first_ten
from mtpkd_cli.media.state import files_state
from mtpkd_cli.storage import reading

if TYPE_CHECKING:
    from torch import Tensor

# Left out by many checkpoints, and not on the way to the hidden states of what is seen or heard.
_NOT_NEEDED = ("pooler", "masked_spec_embed", "mask_token", "text_model", "text_projection", "logit_scale")


class HfOptions(DeviceOptions):
    """Which model, and which of its layers."""

    model: str = Field(min_length=1, description="Absolute path of the model's folder, or its name on the hub.")
    revision: str = Field("main", description="Version on the hub: a branch, a tag, or best a commit.")
    layer: int = Field(-1, description="Layer whose states are taken: -1 = the model's output, 0 = before the first.")

    @field_validator("model")
    @classmethod
    def _clear(cls, model: str) -> str:
        if model.startswith(".") or (model.count("/") > 1 and not model.startswith(("/", "~"))):
            raise ValueError(f"'{model}' is no name on the hub; give a folder by its absolute path")
        return model

    @property
    def folder(self) -> Path | None:
        """The model's folder; None where it is a name on the hub."""
        return Path(self.model).expanduser() if self.model.startswith(("/", "~")) else None


def model_files(config: HfOptions) -> list[Path]:
    """What features depend on besides the media: the files of the model's folder."""
    if config.folder is None:
        return []
    files = sorted(path for path in config.folder.glob("*") if path.suffix in {".json", ".safetensors", ".bin"})
    # A folder without a model names the file that is missed, so that it is told before any work is done.
    return files or [config.folder / "config.json"]


def load_model(config: HfOptions) -> Any:
    """Returns the model, ready to run.

    Raises:
        StudyError: transformers is not installed.
        DataError: The folder or name holds no model, or one without some of its weights.
    """
    state = json.dumps(files_state(model_files(config)))
    return _loaded(str(config.folder or config.model), config.revision, config.device, state)


@lru_cache(maxsize=1)
def _loaded(name: str, revision: str, device: str, _state: str) -> Any:
    _quiet()
    from transformers import AutoModel

    try:
        model, about = AutoModel.from_pretrained(name, revision=revision, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, KeyError) as err:
        raise DataError(
            f"the model cannot be loaded: {(str(err).splitlines() or [type(err).__name__])[0]}",
            where=name,
            expected="a folder that save_pretrained wrote, or a name on the Hugging Face hub",
            todo="check the path, or the name and the connection to the hub",
        ) from err
    missing = sorted(key for key in about["missing_keys"] if not any(part in key for part in _NOT_NEEDED))
    if missing:
        raise DataError(f"the model's file lacks {len(missing)} of its weights:\n{first_ten(missing)}", where=name)
    # Models of pictures and texts: only what looks at pictures.
    return getattr(model, "vision_model", model).eval().to(device)


def settings_of(config: HfOptions) -> dict[str, Any]:
    """What the model's folder says of its input (preprocessor_config.json); {} where it says nothing."""
    _quiet()
    from transformers.utils import cached_file

    file: str | None
    try:
        file = cached_file(
            str(config.folder or config.model),
            "preprocessor_config.json",
            revision=config.revision,
            _raise_exceptions_for_missing_entries=False,
        )
    except OSError:
        file = None
    if not file:
        return {}
    path, todo = Path(file), "download the model again"
    with reading(path, "the model's preprocessor", expected="a JSON file", todo=todo):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def hidden_states(model: Any, given: "Tensor", layer: int) -> "Tensor":
    """(B, ...) input -> (B, tokens, D) states of a layer; places of a picture's map count as tokens."""
    import torch

    with torch.inference_mode():
        output = model(**{model.main_input_name: given}, output_hidden_states=layer != -1, return_dict=True)
    if layer == -1:
        states: Tensor = output.last_hidden_state
    else:
        if not -len(output.hidden_states) <= layer < len(output.hidden_states):
            raise DataError(f"layer = {layer}: the model has {len(output.hidden_states) - 1} layers")
        states = output.hidden_states[layer]
    return states.flatten(2).transpose(1, 2) if states.ndim == 4 else states


def _quiet() -> None:
    try:
        from transformers.utils import logging
    except ImportError as err:
        raise StudyError(
            "this encoder needs the library transformers, which is not installed",
            todo="pip install 'mtpkd[hf]', or choose another encoder",
        ) from err
    logging.set_verbosity_error()
    logging.disable_progress_bar()
