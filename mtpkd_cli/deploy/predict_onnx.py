"""Applies an exported student: python predict_onnx.py FOLDER INPUT..., with numpy and onnxruntime alone.

FOLDER holds model.onnx and features.json. INPUT is a .npz file with one array (T, D) per modality, or a recording, for
which `pip install mtpkd` brings the encoders (torch is not loaded). One line of JSON per input is printed.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


def features_of(path: Path, about: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Modality -> (T, D) float32 features, of a recording or as they lie in a .npz file; and remarks on a recording.

    Of a recording, a modality of which nothing was measured is left out. Remarks are quality (modality -> share of the
    time that was measured) and doubt (modality -> what was not), where there is any.
    """
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in about["modalities"] if name in arrays}, {}
    from mtpkd_cli.encoders import Segment, options_here
    from mtpkd_cli.registry import ENCODERS

    features, qualities = {}, {}
    for name, modality in about["modalities"].items():
        encoder = modality["encoder"]
        module = ENCODERS.load(encoder["name"])
        if encoder["version"] != module.VERSION:
            sys.exit(f"{encoder['name']} is version {module.VERSION} here; the student needs {encoder['version']}")
        encoded = module.encode(Segment(path), module.Config(**options_here(encoder["options"])))
        qualities[name] = encoded.quality
        if not encoded.quality.refused:
            features[name] = encoded.values
    doubts = {name: text for name, quality in qualities.items() if (text := quality.reason or quality.doubt)}
    remarks = {"quality": {name: quality.share for name, quality in qualities.items()}}
    return features, remarks | ({"doubt": doubts} if doubts else {})


def standardised(values: np.ndarray) -> np.ndarray:
    """Features (T, D) of one person less their mean, in units of their deviation."""
    mean, variance = np.nanmean(values, axis=0), np.nanvar(values, axis=0)
    constant = variance <= 1e-12 * np.maximum(np.abs(mean), 1e-6) ** 2
    return (values - mean) / np.sqrt(np.where(constant, 1.0, variance))


def predict(folder: Path, features: dict[str, np.ndarray]) -> dict[str, Any]:
    """The prediction for one recording: scores by class or target, the most probable class and its confidence."""
    about = json.loads((folder / "features.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    inputs = {}
    for name, modality in about["modalities"].items():
        # A modality that the recording lacks is one step that does not count.
        values = features.get(name, np.zeros((0, modality["size"])))
        if about["normalise"] == "subject" and len(values):
            values = standardised(values)
        filled = np.zeros((1, max(1, len(values)), modality["size"]), np.float32)
        filled[0, : len(values)] = values
        inputs[f"{name}_values"] = filled
        inputs[f"{name}_mask"] = np.full(filled.shape[:2], len(values) > 0)
    scores = session.run(["scores"], inputs)[0][0]
    prediction: dict[str, Any] = {"scores": dict(zip(about["outputs"], map(float, scores), strict=True))}
    if about["task"] == "classification":
        prediction |= {"predicted": about["outputs"][int(scores.argmax())], "confidence": float(scores.max())}
        if about["threshold"] is not None:
            prediction["predicted_tuned"] = about["outputs"][int(scores[1] > about["threshold"])]
    return prediction


if __name__ == "__main__":
    place = Path(sys.argv[1])
    described = json.loads((place / "features.json").read_text(encoding="utf-8"))
    for argument in sys.argv[2:]:
        given, remarks = features_of(Path(argument), described)
        answer = predict(place, given) if given else {"error": "nothing was measured"}
        print(json.dumps({"input": argument} | answer | remarks))
