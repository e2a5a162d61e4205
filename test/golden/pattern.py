"""Input patches both sides can compute exactly: integers only, every value a multiple of 2^-16 below 4.

The same formula is in pattern.ts. With 32-bit unsigned arithmetic,

    mix(h) = h ^= h >> 16; h *= 0x7feb352d; h ^= h >> 15; h *= 0x846ca68b; h ^= h >> 16
    key(s) = mix(seed + 0x9e3779b9 * (step * 64 + s + 1))                        for sample s
    noise  = (mix(key ^ index) >> 16) / 2^16 - 1/2                               index = (z H + y) W + x
    tri(v) = |v mod 16 - 8|                                                      0 .. 8
    value  = (tri(z + (key & 15)) + tri(y + (key >> 4 & 15)) + tri(x + (key >> 8 & 15)) - 12) / 4 + noise
"""

import numpy as np

MASK32 = np.uint64(0xFFFFFFFF)


def mix(h: np.ndarray) -> np.ndarray:
    h = np.asarray(h, np.uint64)
    h = h ^ (h >> np.uint64(16))
    h = (h * np.uint64(0x7FEB352D)) & MASK32
    h = h ^ (h >> np.uint64(15))
    h = (h * np.uint64(0x846CA68B)) & MASK32
    return h ^ (h >> np.uint64(16))


def patch(seed: int, step: int, sample: int, size: tuple) -> np.ndarray:
    key = int(mix((seed + 0x9E3779B9 * (step * 64 + sample + 1)) & 0xFFFFFFFF))
    index = np.arange(np.prod(size), dtype=np.uint64).reshape(size)
    noise = (mix(np.uint64(key) ^ index) >> np.uint64(16)).astype(np.float64) / 65536 - 0.5
    total = noise - 3
    for axis, shift in enumerate((0, 4, 8)):
        wave = np.abs((np.arange(size[axis]) + (key >> shift & 15)) % 16 - 8) / 4
        total = total + wave.reshape([-1 if a == axis else 1 for a in range(3)])
    if not np.array_equal(total, total.astype(np.float32)):
        raise AssertionError("a pattern value is not a float32")
    return total


def batch(seed: int, step: int, samples: int, size: tuple) -> np.ndarray:
    """(N, 1, D, H, W)"""
    return np.stack([patch(seed, step, n, size) for n in range(samples)])[:, None]
