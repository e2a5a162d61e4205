"""Golden values of lib/data/augment.ts: method.md 6.7 with scipy. Run by hand: python test/golden/augment.py

Patch coordinates, centred on 0, are row vectors times Rx·Ry·Rz and the scale, then moved to the centre of box Q;
cubic B-spline sampling of Q, a fixed value outside.
"""

import json
from pathlib import Path

import numpy as np
from scipy import ndimage

rng = np.random.default_rng(5)


def rotation(a, b, c):
    ca, sa, cb, sb, cc, sc = np.cos(a), np.sin(a), np.cos(b), np.sin(b), np.cos(c), np.sin(c)
    x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return x @ y @ z


cases = []
for patch, box, angles, scale in [
    ((6, 6, 6), (12, 12, 12), (0.4, -0.3, 0.2), 1.0),
    ((6, 6, 6), (12, 12, 12), (0, 0, 0), 1.3),
    ((5, 8, 7), (11, 14, 13), (-0.5, 0.1, 0.5), 0.75),
    ((8, 8, 8), (9, 10, 9), (0.5, 0.5, -0.5), 1.4),
]:
    volume = rng.normal(size=box).astype(np.float32)
    grid = np.stack(np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in patch], indexing="ij"))
    places = (grid.reshape(3, -1).T @ rotation(*angles)).T * scale
    places += (np.array(box)[:, None]) / 2 - 0.5
    values = ndimage.map_coordinates(volume.astype(float), places, order=3, mode="constant", cval=-2.5)
    cases.append(
        {
            "patch": patch,
            "box": box,
            "angles": angles,
            "scale": scale,
            "fill": -2.5,
            "volume": [float(v) for v in volume.ravel()],
            "values": [float(f"{v:.9g}") for v in values],
        }
    )
(Path(__file__).parent / "augment.json").write_text(json.dumps(cases) + "\n")
