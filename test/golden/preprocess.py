"""Golden values of lib/data/preprocess.ts: method.md 6.3 in numpy, scipy and scikit-image on small nibabel files.

Run by hand: python test/golden/preprocess.py
"""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from skimage.transform import resize

HERE = Path(__file__).parent / "preprocess"
rng = np.random.default_rng(11)


def head(shape):
    """A blurred noise blob with a hole, zero around it; (x, y, z)."""
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    radius = np.sqrt((grid**2).sum(0))
    values = ndimage.gaussian_filter(rng.normal(size=shape), 1.5) * 900 + 500
    values[radius > 0.85] = 0
    values[radius < 0.15] = 0
    return np.round(values).astype(np.int16)


def expected(path, spacing):
    image = nib.load(path)
    data = image.get_fdata().astype(np.float32).transpose(2, 1, 0)
    current = np.abs(np.array(image.header.get_zooms()[::-1], float))
    filled = ndimage.binary_fill_holes(data != 0)
    box = [(int(w.min()), int(w.max()) + 1) for w in np.where(filled)]
    data = data[tuple(slice(*b) for b in box)].astype(np.float64)
    mean, std = data.mean(), data.std()
    data = (data - mean) / max(std, 1e-8)
    size = [int(round(c / t * n)) for c, t, n in zip(current, spacing, data.shape)]
    ratio = current.max() / current.min()
    if ratio > 3:
        axis = int(current.argmax())
        plane = [s for a, s in enumerate(size) if a != axis]
        slices = [resize(s, plane, 3, mode="edge", anti_aliasing=False) for s in np.moveaxis(data, axis, 0)]
        stack = np.stack(slices, axis)
        places = list(np.meshgrid(*[np.arange(n) for n in size], indexing="ij"))
        places[axis] = (places[axis] + 0.5) * data.shape[axis] / size[axis] - 0.5
        data = ndimage.map_coordinates(stack, places, order=0, mode="nearest")
    else:
        data = resize(data, size, 3, mode="edge", anti_aliasing=False)
    return {
        "box": box,
        "mean": mean,
        "std": std,
        "size": size,
        "every": 7,
        "values": [float(f"{v:.8g}") for v in data.ravel()[::7]],
    }


def main():
    HERE.mkdir(exist_ok=True)
    golden = {}
    for name, shape, zooms, target in [
        ("finer.nii.gz", (14, 12, 13), (1.5, 2.0, 1.2), (1, 1, 1)),
        ("coarser.nii.gz", (24, 20, 22), (0.8, 0.5, 0.7), (1, 1, 1)),
        ("thick_z.nii.gz", (16, 15, 6), (1.0, 1.1, 5.0), (1, 1, 1)),
        ("thick_x.nii.gz", (6, 15, 16), (4.0, 0.9, 1.0), (1, 1, 1)),
        ("other_target.nii.gz", (12, 12, 12), (1.0, 1.0, 1.0), (1.5, 0.8, 1.25)),
    ]:
        path = HERE / name
        image = nib.Nifti1Image(head(shape), np.diag([*zooms, 1]))
        image.header.set_xyzt_units("mm")
        nib.save(image, path)
        golden[name] = {"target": target, **expected(path, target)}
    (HERE / "golden.json").write_text(json.dumps(golden) + "\n")


main()
