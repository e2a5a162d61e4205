#!/usr/bin/env python3
"""Golden boxes that are read around a patch before it is rotated and scaled (method.md section 6.6).

The far corner of the patch is turned about each axis in turn by the largest angle, 90 degrees at most; each side of
the box is the longest that the corner then has, and the patch's own, divided by 0.85 and cut to whole voxels. Flat
patches (longest side above three times the first) turn by 180 degrees, and the box keeps their first side.
Made with numpy 2.4. Run `python test/golden/enlarged_patch.py`; a second run writes the same bytes.
"""

import json
from pathlib import Path

import numpy as np

PATCHES = [(160, 160, 160), (128, 128, 128), (96, 96, 96), (64, 64, 64), (32, 32, 32), (64, 96, 160), (96, 48, 64)]
FLAT = [(20, 160, 160), (16, 96, 128), (16, 128, 96), (32, 8, 128), (8, 320, 256), (5, 51, 17)]
DEGREES = (30, 15, 120)
PLANES = [(1, 2), (0, 2), (0, 1)]


def turned(corner: np.ndarray, axis: int, angle: float) -> np.ndarray:
    """Row vector times the rotation about an axis; the one about axis 1 turns the other way round."""
    a, b = PLANES[axis]
    sign = -1 if axis == 1 else 1
    matrix = np.identity(3)
    matrix[a, a] = matrix[b, b] = np.cos(angle)
    matrix[a, b], matrix[b, a] = -sign * np.sin(angle), sign * np.sin(angle)
    return np.abs(corner @ matrix)


def box(patch: tuple, degrees: float) -> list:
    flat = max(patch) / patch[0] > 3
    angle = np.deg2rad(min(180 if flat else degrees, 90))
    corner = np.array(patch, dtype=float)
    sides = np.max([corner, *(turned(corner, axis, angle) for axis in range(3))], axis=0) / 0.85
    return [patch[0] if flat and axis == 0 else int(side) for axis, side in enumerate(sides)]


if __name__ == "__main__":
    entries = [{"patch": p, "degrees": d, "box": box(p, d)} for p in PATCHES + FLAT for d in DEGREES]
    Path(__file__).with_suffix(".json").write_text(json.dumps({"boxes": entries}) + "\n")
