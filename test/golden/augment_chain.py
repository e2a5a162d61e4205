#!/usr/bin/env python3
"""Golden patches after all transforms of nnU-Net's augmentation in their order (method.md section 7.5), from numpy and
scipy in float64: rotation and scaling, noise, blur, brightness, contrast, low resolution, gamma of the negated and of the
plain image, mirroring. What is beyond the outermost voxel centres of the read box is 0, its label -1.

Made with numpy 2.4, scipy 1.17. Run `python test/golden/augment_chain.py`; a second run writes the same bytes.
"""

import json
from pathlib import Path

import numpy as np
from enlarged_patch import box
from scipy import ndimage

CHANNELS = 2
INTENSITIES = {
    "noise": {"sigma": 0.08, "seed": 5},
    "blur": [[0.9, 0.6, 0.75], None],
    "brightness": [1.2, 0.8],
    "contrast": [0.77, 1.23],
    "lowResolution": [0.6, None],
    "invertedGamma": [0.8, 1.4],
    "gamma": [1.3, 0.75],
}
CASES = {
    "cube": {"patch": (6, 7, 8), "angles": [0.4, -0.3, 0.5], "scale": 1.2, "mirrored": [True, False, True]},
    "flat": {"patch": (3, 11, 10), "angles": [2.2, 0, 0], "scale": 0.8, "mirrored": [False, True, False]},
    "at_rest": {"patch": (5, 8, 6), "scale": 1, "mirrored": [False, False, True]},
}


def image_of(shape: list) -> np.ndarray:
    z, y, x = np.indices(shape)
    return np.array([((31 * x + 17 * y + 7 * z + x * y * z + 13 * c) % 97) / 16 - 3 for c in range(CHANNELS)])


def label_of(shape: list) -> np.ndarray:
    z, y, x = np.indices(shape)
    return np.where(x < 2, -1, (z // 3 + y // 4 + x // 3) % 4)


def philox(counter: list, key: list) -> list:
    """Philox4x32-10."""
    for i in range(10):
        p, q = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        k = [(key[0] + i * 0x9E3779B9) & 0xFFFFFFFF, (key[1] + i * 0xBB67AE85) & 0xFFFFFFFF]
        counter = [(q >> 32) ^ counter[1] ^ k[0], q & 0xFFFFFFFF, (p >> 32) ^ counter[3] ^ k[1], p & 0xFFFFFFFF]
    return counter


def normals(count: int, seed: int) -> np.ndarray:
    """The first of the stream named "noise": two of each pair of words, by Box and Muller."""
    purpose = 0x811C9DC5
    for letter in "noise":  # FNV-1a
        purpose = ((purpose ^ ord(letter)) * 0x01000193) & 0xFFFFFFFF
    values = []
    for block in range(count // 4 + 1):
        words = philox([block, 0, 0, purpose], [seed, 0])
        for a, b in (words[:2], words[2:]):
            radius = np.sqrt(-2 * np.log((a + 0.5) / 2**32))
            values += [radius * np.cos(2 * np.pi * b / 2**32), radius * np.sin(2 * np.pi * b / 2**32)]
    return np.array(values[:count])


def places_of(patch: tuple, read: list, angles: list, scale: float) -> np.ndarray:
    """Where each voxel of the patch comes from: row vectors times rotations about axes 0, 1, 2, times the scale."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    turn = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    turn = turn @ np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    turn = turn @ np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    flat = max(patch) / patch[0] > 3
    rows = np.indices(patch).reshape(3, -1).T - (np.array(patch) - 1) / 2
    rows = rows @ turn * [1 if flat else scale, scale, scale]
    return (rows + (np.array(read) - 1) / 2).T.reshape(3, *patch)


def moved(image: np.ndarray, label: np.ndarray, patch: tuple, angles, scale: float) -> tuple:
    read = label.shape
    if angles is None and scale == 1:
        place = tuple(slice((q - p) // 2, (q - p) // 2 + p) for q, p in zip(read, patch))
        return image[(slice(None), *place)], label[place]
    places = places_of(patch, read, angles or [0, 0, 0], scale)
    outside = np.any([(p < 0) | (p > q - 1) for p, q in zip(places, read)], axis=0)
    linear = [ndimage.map_coordinates(x, places, order=1, mode="nearest") for x in image]
    values = np.unique(label)
    votes = [ndimage.map_coordinates((label == v).astype(float), places, order=1, mode="nearest") for v in values]
    return np.where(outside, 0, linear), np.where(outside, -1, values[np.argmax(votes, axis=0)])


def blurred(x: np.ndarray, sigma: list) -> np.ndarray:
    for axis, s in enumerate(sigma):
        wanted = 6 * s + 0.5
        length = round(wanted)
        if length % 2 == 0:
            length += 1 if wanted >= length else -1
        bell = np.exp(-0.5 * ((np.arange(length) - length // 2) / s) ** 2)
        x = ndimage.correlate1d(x, bell / bell.sum(), axis=axis, mode="mirror")
    return x


def coarsened(x: np.ndarray, share: float, flat: bool) -> np.ndarray:
    small = [n if flat and axis == 0 else max(1, round(n * share)) for axis, n in enumerate(x.shape)]
    nearest = [np.floor((np.arange(m) + 0.5) * n / m).astype(int) for m, n in zip(small, x.shape)]
    places = np.meshgrid(*[(np.arange(n) + 0.5) * m / n - 0.5 for m, n in zip(small, x.shape)], indexing="ij")
    return ndimage.map_coordinates(x[np.ix_(*nearest)], places, order=1, mode="nearest")


def corrected(x: np.ndarray, exponent: float) -> np.ndarray:
    low, span = x.min(), np.ptp(x)
    y = ((x - low) / span) ** exponent * span + low
    return (y - y.mean()) * x.std(ddof=1) / y.std(ddof=1) + x.mean()


def recoloured(x: np.ndarray, c: int, flat: bool) -> np.ndarray:
    t = INTENSITIES
    x = x + t["noise"]["sigma"] * normals(x.size, t["noise"]["seed"]).reshape(x.shape)
    if t["blur"][c]:
        x = blurred(x, t["blur"][c])
    x = x * t["brightness"][c]
    x = np.clip((x - x.mean()) * t["contrast"][c] + x.mean(), x.min(), x.max())
    if t["lowResolution"][c]:
        x = coarsened(x, t["lowResolution"][c], flat)
    x = -corrected(-x, t["invertedGamma"][c])
    return corrected(x, t["gamma"][c])


def entry(name: str, patch: tuple, scale: float, mirrored: list, angles=None) -> dict:
    flat = max(patch) / patch[0] > 3
    read = box(patch, 30)
    image, label = moved(image_of(read), label_of(read), patch, angles, scale)
    axes = tuple(axis for axis in range(3) if mirrored[axis])
    image = [np.flip(recoloured(x, c, flat), axes) for c, x in enumerate(image)]
    drawn = {"scale": scale, "mirrored": mirrored, **INTENSITIES, **({"angles": angles} if angles else {})}
    return {
        **{"name": name, "patch": patch, "box": read, "drawn": drawn},
        "image": [float(f"{v:.8g}") for v in np.ravel(image)],
        "label": np.flip(label, axes).ravel().tolist(),
    }


if __name__ == "__main__":
    entries = [entry(name, **case) for name, case in CASES.items()]
    Path(__file__).with_suffix(".json").write_text(json.dumps({"cases": entries}) + "\n")
