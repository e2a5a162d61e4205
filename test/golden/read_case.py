"""Reads a stored case by the Zarr v3 specification alone, in Python, and checks every checksum.

Run by hand: python test/golden/read_case.py CASE.zarr [NIFTI]
Needs numpy and the zstd command; with zarr-python 3 installed it also compares `zarr.open_array`. Given the NIfTI
image that was preprocessed without resampling and normalisation, it compares the voxels with nibabel's.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

TABLE = []
for n in range(256):
    for _ in range(8):
        n = (n >> 1) ^ 0x82F63B78 if n & 1 else n >> 1
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def unchecked(data):
    assert crc32c(data[:-4]) == int.from_bytes(data[-4:], "little"), "checksum"
    return data[:-4]


def read(folder):
    meta = json.loads((folder / "zarr.json").read_text())
    assert meta["zarr_format"] == 3 and meta["node_type"] == "array" and meta["data_type"] == "float32"
    shard_shape = meta["chunk_grid"]["configuration"]["chunk_shape"]
    (sharding,) = meta["codecs"]
    inner = sharding["configuration"]["chunk_shape"]
    counts = [s // c for s, c in zip(shard_shape, inner)]
    raw = (folder / "c" / "/".join("0" * len(inner))).read_bytes()
    entries = int(np.prod(counts))
    index = np.frombuffer(unchecked(raw[-(16 * entries + 4) :]), "<u8").reshape(*counts, 2)
    whole = np.full(shard_shape, meta["fill_value"], np.float32)
    for cell in np.ndindex(*counts):
        offset, length = (int(v) for v in index[cell])
        if offset == 2**64 - 1:
            continue
        packed = unchecked(raw[offset : offset + length])
        chunk = subprocess.run(["zstd", "-dc"], input=packed, capture_output=True, check=True).stdout
        place = tuple(slice(i * c, (i + 1) * c) for i, c in zip(cell, inner))
        whole[place] = np.frombuffer(chunk, "<f4").reshape(inner)
    return whole[tuple(slice(0, n) for n in meta["shape"])], meta


def main():
    folder = Path(sys.argv[1])
    data, meta = read(folder)
    print("shape", data.shape, "mean", data.mean(), "case", meta["attributes"]["case"]["id"])
    try:
        import zarr

        assert np.array_equal(zarr.open_array(folder, mode="r")[:], data)
        print("zarr-python", zarr.__version__, "reads the same")
    except ImportError:
        print("zarr-python is not installed: read by the specification only")
    if len(sys.argv) > 2:
        import nibabel

        crop = meta["attributes"]["case"]["crop"]
        image = nibabel.load(sys.argv[2]).get_fdata().astype(np.float32).transpose(2, 1, 0)
        box = tuple(slice(a, b) for a, b in zip(crop["start"], crop["end"]))
        assert np.array_equal(image[box], data[0])
        print("equal to nibabel's voxels")


main()
