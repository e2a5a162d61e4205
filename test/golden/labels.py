"""Golden values of lib/data/label-map.ts: label maps resampled by nnU-Net's rule, written with scikit-image and scipy.

Each label is resized as a mask, linearly, and takes the voxels that reach one half, in ascending order; a single coarse
axis is sampled on its own, nearest, after the others. "?" marks voxels where rounding decides between exactly one half
and just below. Made with scikit-image 0.26 and scipy 1.17.
Run by hand: python test/golden/labels.py
"""

import json
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.transform import resize

rng = np.random.default_rng(29)


def blobs(shape, labels):
    noise = ndimage.gaussian_filter(rng.normal(size=(labels, *shape)), (0, 1, 1, 1))
    return np.argmax(noise, 0)


def resize_labels(labels, size):
    out = np.zeros(size, int)
    unsure = np.zeros(size, bool)
    for label in np.unique(labels):
        soft = resize((labels == label).astype(float), size, 1, mode="edge", anti_aliasing=False, clip=True)
        out[soft >= 0.5] = label
        unsure |= (soft != 0.5) & (np.abs(soft - 0.5) < 1e-6)
    out[unsure] = -1
    return out


def separate(labels, size, axis):
    """In-plane slice by slice, then the nearest slice."""
    rest = [n for a, n in enumerate(size) if a != axis]
    slices = np.stack([resize_labels(s, rest) for s in np.moveaxis(labels, axis, 0)])
    n, m = labels.shape[axis], size[axis]
    places = n / m * (np.arange(m) + 0.5) - 0.5
    taken = ndimage.map_coordinates(np.arange(n), [places], order=0, mode="nearest")
    return np.moveaxis(slices[taken], 0, axis)


def main():
    cases = []
    for shape, spacing, axis in [
        ((8, 6, 10), (1, 2, 0.7), None),
        ((9, 8, 7), (0.5, 0.5, 0.5), None),
        ((11, 5, 6), (1.3, 0.9, 2.1), None),
        ((1, 9, 8), (1, 1.5, 1.5), None),
        ((5, 9, 8), (4, 0.8, 1.2), 0),
        ((7, 6, 5), (0.9, 0.7, 5), 2),
    ]:
        labels = blobs(shape, 4)
        size = [max(1, int(round(s * n))) for s, n in zip(spacing, shape)]
        out = resize_labels(labels, size) if axis is None else separate(labels, size, axis)
        cases.append({
            "shape": shape, "spacing": spacing, "size": size,
            "labels": "".join(map(str, labels.ravel())), "out": "".join("?" if v < 0 else str(v) for v in out.ravel()),
        })
    (Path(__file__).parent / "labels.json").write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
