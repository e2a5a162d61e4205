#!/usr/bin/env python3
"""Golden Dice of validation patches (method.md section 7.6): voxels of all patches are counted together. Classes: the
largest logit; regions: the channels above a sigmoid of 1/2, each for itself; the ignore label counts nowhere.

Made with numpy 2.4. Run `python test/golden/pseudo_dice.py`; a second run writes the same bytes.
"""

import json
from pathlib import Path

import numpy as np

SHAPE = (2, 2, 3, 4)  # samples and voxels of a patch
REGIONS = {"whole": [1, 2, 3], "spots": [1, 3], "edge": 2}
SCHEMES = {
    "classes": {"labels": {"background": 0, "a": 1, "b": 2, "c": 3}},
    "classes_ignore": {"labels": {"background": 0, "a": 1, "b": 2, "c": 3, "ignore": 4}},
    "regions": {"labels": {"background": 0, **REGIONS}, "regionsClassOrder": [1, 2, 3]},
    "regions_ignore": {"labels": {"background": 0, **REGIONS, "ignore": 4}, "regionsClassOrder": [1, 2, 3]},
}


def dice(found: np.ndarray, wanted: np.ndarray, counted: np.ndarray) -> float:
    both = (found & wanted & counted).sum()
    return float(2 * both / ((found & counted).sum() + (wanted & counted).sum()))


def case(name: str, scheme: dict, rng: np.random.Generator) -> dict:
    regions = "regionsClassOrder" in scheme
    channels = [(k, v) for k, v in scheme["labels"].items() if k != "ignore" and not (regions and k == "background")]
    logits = rng.integers(-9, 10, (2, SHAPE[0], len(channels), *SHAPE[1:])) / 4  # two batches
    labels = rng.integers(-1, 5 if "ignore" in scheme["labels"] else 4, (2, *SHAPE))  # -1 lies outside of the image
    counted = labels != 4
    result = {}
    for k, (key, values) in enumerate(channels):
        found = 1 / (1 + np.exp(-logits[:, :, k])) > 0.5 if regions else logits.argmax(2) == k
        if key != "background":
            result[key] = dice(found, np.isin(labels, values), counted)
    flat = {"logits": logits.reshape(2, -1).tolist(), "labels": labels.reshape(2, -1).tolist()}
    return {"name": name, "scheme": scheme, **flat, "dice": result, "meanDice": float(np.mean(list(result.values())))}


if __name__ == "__main__":
    draws = np.random.default_rng(8)
    entries = [case(name, scheme, draws) for name, scheme in SCHEMES.items()]
    Path(__file__).with_suffix(".json").write_text(json.dumps({"shape": SHAPE, "cases": entries}) + "\n")
