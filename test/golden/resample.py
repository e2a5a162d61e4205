"""Golden values of native/ops/resample from scikit-image and scipy. Run by hand: python test/golden/resample.py"""

import json
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.transform import resize

rng = np.random.default_rng(3)


def flat(array):
    return [float(v) for v in np.asarray(array).ravel()]


def volume(shape):
    return rng.normal(size=shape).astype(np.float32)


def separable():
    cases = []
    for shape, size in [((5, 6, 7), (9, 4, 7)), ((8, 3, 5), (5, 7, 11)), ((1, 6, 2), (1, 9, 3)), ((17, 20, 18), (12, 31, 40))]:
        for order in (1, 3):
            x = volume(shape)
            y = resize(x.astype(float), size, order, mode="edge", anti_aliasing=False, clip=True)
            if y.size > 1000:  # keep the file small: a checkable subset
                cases.append({"shape": shape, "size": size, "order": order, "x": flat(x), "every": 37, "y": flat(y)[::37]})
            else:
                cases.append({"shape": shape, "size": size, "order": order, "x": flat(x), "every": 1, "y": flat(y)})
    return cases


def separate_z():
    """The rule of method.md 6.3 for thick slices: cubic in plane slice by slice, then nearest across slices."""
    cases = []
    for axis in range(3):
        shape, size = [7, 8, 9], [10, 5, 12]
        shape[axis], size[axis] = 3, 8
        x = volume(shape)
        plane = [s for a, s in enumerate(size) if a != axis]
        slices = [resize(s.astype(float), plane, 3, mode="edge", anti_aliasing=False, clip=True) for s in np.moveaxis(x, axis, 0)]
        stack = np.stack(slices, axis)
        places = list(np.meshgrid(*[np.arange(n) for n in size], indexing="ij"))
        places[axis] = (places[axis] + 0.5) * shape[axis] / size[axis] - 0.5
        y = ndimage.map_coordinates(stack, places, order=0, mode="nearest")
        cases.append({"shape": shape, "size": size, "axis": axis, "x": flat(x), "y": flat(y)})
    return cases


def affine():
    cases = []
    for order in (0, 1, 3):
        for shape, size in [((6, 7, 8), (5, 6, 7)), ((4, 4, 4), (6, 3, 5)), ((2, 9, 3), (4, 4, 4))]:
            x = volume(shape)
            a, b = rng.uniform(-0.5, 0.5, 2)
            turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]) @ np.array(
                [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
            )
            m = turn * rng.uniform(0.7, 1.3)
            shift = (np.array(shape) - 1) / 2 - m @ ((np.array(size) - 1) / 2) + rng.uniform(-0.2, 0.2, 3)
            grid = np.stack(np.meshgrid(*[np.arange(n) for n in size], indexing="ij"), 0).reshape(3, -1)
            places = m @ grid + shift[:, None]
            y = ndimage.map_coordinates(x.astype(float), places, order=order, mode="constant", cval=-7)
            matrix = np.concatenate([m, shift[:, None]], 1)
            cases.append({"shape": shape, "size": size, "order": order, "matrix": flat(matrix), "x": flat(x), "y": flat(y)})
    return cases


golden = {"separable": separable(), "separateZ": separate_z(), "affine": affine()}
rounded = json.loads(json.dumps(golden), parse_float=lambda s: float(f"{float(s):.10g}"))
(Path(__file__).parent / "resample.json").write_text(json.dumps(rounded) + "\n")
