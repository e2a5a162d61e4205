"""Golden values of the transforms of nnU-Net's augmentation from numpy and scipy (method.md 7.5).

Run by hand: python test/golden/segmentation_augment.py
"""

import json
from pathlib import Path

import numpy as np
from scipy import ndimage

rng = np.random.default_rng(17)


def flat(array):
    return [float(f"{v:.9g}") for v in np.asarray(array, float).ravel()]


def volume(shape):
    return rng.normal(size=shape).astype(np.float32)


def blur():
    cases = []
    for shape, sigma in [((6, 7, 8), (0.5, 0.75, 1)), ((3, 9, 2), (1, 0.93, 0.9)), ((5, 5, 5), (0, 0.6, 0))]:
        x = volume(shape)
        y = x.astype(float)
        for axis, s in enumerate(sigma):
            if s == 0:
                continue
            wanted = 6 * s + 0.5
            length = round(wanted)  # half to even
            if length % 2 == 0:
                length += 1 if wanted >= length else -1
            w = np.exp(-0.5 * (np.arange(length) - length // 2) ** 2 / s**2)
            y = ndimage.correlate1d(y, w / w.sum(), axis=axis, mode="mirror")
        cases.append({"shape": shape, "sigma": sigma, "x": flat(x), "y": flat(y)})
    return cases


def contrast():
    cases = []
    for factor in (0.75, 1.25):
        x = volume((4, 5, 6))
        y = np.clip((x.astype(float) - x.mean()) * factor + x.mean(), x.min(), x.max())
        cases.append({"shape": x.shape, "factor": factor, "x": flat(x), "y": flat(y)})
    return cases


def gamma():
    cases = []
    for exponent, inverted in [(0.7, False), (1.5, False), (0.7, True), (1.3, True)]:
        x = volume((5, 4, 6))
        y = -x.astype(float) if inverted else x.astype(float)
        mean, deviation = y.mean(), y.std(ddof=1)
        y = ((y - y.min()) / np.ptp(y)) ** exponent * np.ptp(y) + y.min()
        y = (y - y.mean()) * (deviation / y.std(ddof=1)) + mean
        cases.append({"shape": x.shape, "exponent": exponent, "inverted": inverted, "x": flat(x), "y": flat(-y if inverted else y)})
    return cases


def low_resolution():
    """Nearest voxel centres down, linear between voxel centres up, edge values beyond."""
    cases = []
    for shape, share in [((8, 9, 10), 0.5), ((7, 11, 6), 0.77)]:
        x = volume(shape)
        small = [round(n * share) for n in shape]
        index = [np.floor((np.arange(m) + 0.5) * n / m).astype(int) for n, m in zip(shape, small)]
        coarse = x[np.ix_(*index)].astype(float)
        places = np.meshgrid(*[(np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(shape, small)], indexing="ij")
        y = ndimage.map_coordinates(coarse, places, order=1, mode="nearest")
        cases.append({"shape": shape, "share": share, "x": flat(x), "y": flat(y)})
    return cases


def labels():
    """Argmax of linearly interpolated one-hot maps, a fixed label outside."""
    cases = []
    for shape, size in [((6, 7, 8), (7, 7, 7)), ((9, 2, 9), (6, 3, 8)), ((1, 8, 8), (1, 9, 7))]:
        x = ndimage.zoom(rng.integers(-1, 4, [(n + 1) // 2 for n in shape]), 2, order=0)[tuple(slice(n) for n in shape)]
        a, b = (rng.uniform(-0.5, 0.5), 0) if shape[0] == 1 else rng.uniform(-0.5, 0.5, 2)
        turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]) @ np.array(
            [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
        )
        m = turn * np.array([[1 if shape[0] == 1 else 0.83], [0.83], [0.83]])
        shift = (np.array(shape) - 1) / 2 - m @ ((np.array(size) - 1) / 2)
        grid = np.stack(np.meshgrid(*[np.arange(n) for n in size], indexing="ij"), 0).reshape(3, -1)
        places = m @ grid + shift[:, None]
        values = np.unique(x)
        votes = np.stack([ndimage.map_coordinates((x == v).astype(float), places, order=1, mode="nearest") for v in values])
        outside = np.any((places < -1e-9) | (places > np.array(shape)[:, None] - 1 + 1e-9), axis=0)
        y = np.where(outside, -9, values[votes.argmax(0)])
        matrix = np.concatenate([m, shift[:, None]], 1)
        cases.append({"shape": shape, "size": size, "matrix": [float(v) for v in matrix.ravel()], "x": flat(x), "y": flat(y)})
    return cases


def philox(counter, key):
    """Philox4x32-10 in whole numbers of any length."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & 0xFFFFFFFF, (p >> 32) ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def noise():
    seed, step, index, purpose = 2**52 + 12345, 7, 4000000000, "noise"
    hashed = 0x811C9DC5
    for letter in purpose:  # FNV-1a
        hashed = ((hashed ^ ord(letter)) * 0x01000193) & 0xFFFFFFFF
    values = []
    for block in range(45):
        w = philox((block, step, index, hashed), (seed & 0xFFFFFFFF, seed >> 32))
        for a, b in (w[:2], w[2:]):
            radius, angle = np.sqrt(-2 * np.log((a + 0.5) / 2**32)), 2 * np.pi * b / 2**32
            values += [radius * np.cos(angle), radius * np.sin(angle)]
    return [{"shape": (4, 5, 9), "seed": seed, "step": step, "index": index, "sigma": 0.1, "y": flat(0.1 * np.array(values))}]


golden = {
    "blur": blur(),
    "contrast": contrast(),
    "gamma": gamma(),
    "lowResolution": low_resolution(),
    "labels": labels(),
    "noise": noise(),
}
(Path(__file__).parent / "segmentation_augment.json").write_text(json.dumps(golden) + "\n")
