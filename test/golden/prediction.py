#!/usr/bin/env python3
"""Golden predictions of whole cases (method.md section 8): crop, z-score, resampling, windows, Gaussian weights, mirroring,
means over networks, logits resampled back, probabilities and label map, with numpy and scipy in float64.

A network is one convolution 3x3x3 with zero padding, so that mirroring and the borders of windows count.
Made with numpy 2.4, scipy 1.17. Run `python test/golden/prediction.py`; a second run writes the same bytes.
"""

import itertools
import json
import math
from pathlib import Path

import numpy as np
from scipy import ndimage

CLASSES = {"labels": {"background": 0, "a": 1, "b": 2}}
REGIONS = {"labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "edge": 3}, "regionsClassOrder": [1, 2, 3]}
EVERY = 17  # probabilities are kept at every 17th voxel
# shape, spacing of image and network (z, y, x), patch, step, mirrored axes, channels, networks
CASES = {
    "mirrored": ((13, 17, 16), (1.0, 1.25, 0.8), (1.0, 1.0, 1.0), (8, 8, 6), 0.5, (0, 2), 1, 1, CLASSES),
    "thick_slices": ((6, 15, 14), (4.0, 0.75, 1.0), (1.0, 1.0, 1.0), (10, 8, 8), 0.6, (), 2, 2, REGIONS),
    "thick_along_x": ((12, 11, 6), (1.0, 1.0, 3.5), (2.0, 1.0, 1.0), (4, 6, 8), 0.5, (1,), 1, 2, CLASSES),
    "thick_network": ((14, 12, 12), (1.0, 1.0, 1.0), (1.0, 4.0, 1.0), (8, 4, 8), 1.0, (), 1, 1, REGIONS),
    "small": ((5, 6, 7), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (8, 10, 12), 0.5, (0, 1, 2), 1, 1, CLASSES),
}


def intensities(shape: tuple, channel: int) -> np.ndarray:
    """Whole numbers; zeros in front of and behind the head."""
    z, y, x = np.indices(shape)
    inside = (z > 0) & (y > 1) & (y < shape[1] - 1) & (x < shape[2] - 1)
    return np.where(inside, (31 * x + 17 * y + 7 * z + x * y * z + 13 * channel) % 97 + 1, 0).astype(float)


def weights(network: int, outputs: int, channels: int) -> np.ndarray:
    index = np.arange(outputs * channels * 27)
    return ((7 * index + 5 * network) % 13 - 6).reshape(outputs, channels, 3, 3, 3) / 8


def logits_of(weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.array([sum(ndimage.correlate(x[c], w[c], mode="constant") for c in range(len(x))) for w in weight])


def coarse_axis(current: tuple, target: tuple):
    for spacing in (current, target):
        if max(spacing) / min(spacing) > 3:
            return int(np.argmax(spacing))
    return None


def resized(x: np.ndarray, size: list, order: int) -> np.ndarray:
    zoom = [n / m for n, m in zip(size, x.shape)]
    y = ndimage.zoom(x, zoom, order=order, mode="nearest", grid_mode=True)
    return np.clip(y, x.min(), x.max())


def resampled(x: np.ndarray, size: list, current: tuple, target: tuple, order: int) -> np.ndarray:
    """A coarse axis is left to the nearest slice."""
    if list(x.shape) == list(size):
        return x
    alone = coarse_axis(current, target)
    if alone is None:
        return resized(x, size, order)
    plane = [n for axis, n in enumerate(size) if axis != alone]
    stack = np.stack([resized(s, plane, order) for s in np.moveaxis(x, alone, 0)], alone)
    places = (np.arange(size[alone]) + 0.5) * x.shape[alone] / size[alone] - 0.5
    return np.take(stack, np.clip(np.floor(places + 0.5).astype(int), 0, x.shape[alone] - 1), alone)


def window(patch: tuple) -> np.ndarray:
    impulse = np.zeros(patch)
    impulse[tuple(p // 2 for p in patch)] = 1
    bell = ndimage.gaussian_filter(impulse, [p / 8 for p in patch], mode="constant")
    bell *= 10 / bell.max()
    bell[bell == 0] = bell[bell > 0].min()
    return bell


def starts(size: int, patch: int, step: float) -> list:
    count = math.ceil((size - patch) / (patch * step)) + 1
    return [int(np.round(i * (size - patch) / max(count - 1, 1))) for i in range(count)]


def slide(x: np.ndarray, weight: np.ndarray, patch: tuple, step: float, mirror: tuple) -> np.ndarray:
    """Mean logits of the windows; x is padded with zeros up to the patch, the odd voxel behind."""
    pad = [(max(p - n, 0) // 2, max(p - n, 0) - max(p - n, 0) // 2) for n, p in zip(x.shape[1:], patch)]
    padded = np.pad(x, [(0, 0), *pad])
    bell, flips = window(patch), [f for k in range(len(mirror) + 1) for f in itertools.combinations(mirror, k)]
    total, norm = np.zeros((len(weight), *padded.shape[1:])), np.zeros(padded.shape[1:])
    for corner in itertools.product(*[starts(n, p, step) for n, p in zip(padded.shape[1:], patch)]):
        place = tuple(slice(c, c + p) for c, p in zip(corner, patch))
        cut = padded[(slice(None), *place)]
        axes = [tuple(a + 1 for a in f) for f in flips]
        mean = np.mean([np.flip(logits_of(weight, np.flip(cut, f)), f) for f in axes], axis=0)
        total[(slice(None), *place)] += mean * bell
        norm[place] += bell
    inner = tuple(slice(low, low + n) for (low, _), n in zip(pad, x.shape[1:]))
    return (total / norm)[(slice(None), *inner)]


def predict(shape, spacing, target, patch, step, mirror, channels, networks, scheme) -> dict:
    regions = "regionsClassOrder" in scheme
    outputs = len(scheme["labels"]) - int(regions)
    volumes = [intensities(shape, c) for c in range(channels)]
    places = np.where(np.any([v != 0 for v in volumes], axis=0))
    box = tuple(slice(p.min(), p.max() + 1) for p in places)
    cropped = [(v[box] - v[box].mean()) / v[box].std() for v in volumes]
    size = [round(a / b * n) for a, b, n in zip(spacing, target, cropped[0].shape)]
    x = np.array([resampled(v, size, spacing, target, 3) for v in cropped])
    logits = np.mean([slide(x, weights(n, outputs, channels), patch, step, mirror) for n in range(networks)], axis=0)
    logits = np.array([resampled(k, list(cropped[0].shape), target, spacing, 1) for k in logits])
    labels, probabilities = np.zeros(shape, int), np.zeros((outputs, *shape))
    inside = labels[box]  # a view
    if regions:
        soft = 1 / (1 + np.exp(-logits))
        for k, label in enumerate(scheme["regionsClassOrder"]):
            inside[soft[k] > 0.5] = label
    else:
        soft = np.exp(logits - logits.max(0)) / np.exp(logits - logits.max(0)).sum(0)
        inside[:] = logits.argmax(0)
        probabilities[0] = 1
    probabilities[(slice(None), *box)] = soft
    return {
        "labels": "".join(map(str, labels.ravel())),
        "probabilities": [float(f"{p:.7g}") for p in probabilities.ravel()[::EVERY]],
    }


def entry(name: str, case: tuple) -> dict:
    keys = ("shape", "spacing", "target", "patch", "step", "mirroring", "channels", "networks", "scheme")
    return {"name": name, **dict(zip(keys, case)), **predict(*case)}


if __name__ == "__main__":
    entries = [entry(name, case) for name, case in CASES.items()]
    Path(__file__).with_suffix(".json").write_text(json.dumps({"every": EVERY, "cases": entries}) + "\n")
