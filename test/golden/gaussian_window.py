#!/usr/bin/env python3
"""Golden weights of sliding-window patches (method.md section 8) from scipy.ndimage.gaussian_filter.

Made with numpy 2.4, scipy 1.17. Run `python test/golden/gaussian_window.py`; a second run writes the same bytes.
"""

import json
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

PATCHES = [(8, 6, 4), (5, 7, 3), (1, 9, 2), (16, 1, 1), (1, 1, 1)]


def window(patch: tuple) -> np.ndarray:
    impulse = np.zeros(patch)
    impulse[tuple(p // 2 for p in patch)] = 1
    weights = gaussian_filter(impulse, [p / 8 for p in patch], order=0, mode="constant", cval=0, truncate=4)
    weights *= 10 / weights.max()
    weights[weights == 0] = weights[weights > 0].min()
    return weights


if __name__ == "__main__":
    entries = [{"patch": list(p), "values": [float(f"{v:.9g}") for v in window(p).ravel()]} for p in PATCHES]
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"windows": entries}) + "\n")
