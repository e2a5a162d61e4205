"""Writes the NIfTI fixtures of test/data with nibabel and records how nibabel reads them.

Run once by hand:  python test/golden/nifti.py   (nibabel 5.4, numpy 2)
`python test/golden/nifti.py FILE...` instead prints how nibabel reads FILE, to check our own writer.
"""

import gzip
import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

HERE = Path(__file__).parent / "nifti"
SHAPE = (3, 4, 5)  # x, y, z
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def oblique_affine():
    """Rotation about three axes, unequal spacing, negative determinant."""
    a, b, c = 0.3, -0.2, 0.5
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rx @ ry @ rz @ np.diag([-0.9, 1.1, 2.5])
    affine[:3, 3] = [12.5, -30.25, 7]
    return affine


def voxels(dtype):
    rng = np.random.default_rng(7)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=SHAPE).astype(dtype)
    info = np.iinfo(dtype)
    low, high = max(info.min, -30000), min(info.max, 60000)
    return rng.integers(low, high, SHAPE, dtype=dtype, endpoint=True)


def describe(path):
    image = nib.load(path)
    header = image.header
    return {
        "affine": image.affine.ravel().tolist(),
        "zooms": [float(z) for z in header.get_zooms()],
        "orientation": "".join(nib.aff2axcodes(image.affine)),
        "shape": list(image.shape),
        # C order of (z, y, x) is the file's own order
        "data": [float(np.float32(v)) for v in image.get_fdata().ravel(order="F")],
    }


def save(name, image, golden):
    path = HERE / name
    nib.save(image, path)
    golden[name] = describe(path)


def main():
    HERE.mkdir(exist_ok=True)
    golden = {}
    affine = oblique_affine()
    for version, cls in (("1", nib.Nifti1Image), ("2", nib.Nifti2Image)):
        for order in "<>":
            for dtype in TYPES:
                data = voxels(dtype)
                header = cls.header_class(endianness=order)
                header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
                image = cls(data, affine, header)
                image.set_qform(affine, code=1)
                image.set_sform(affine, code=1)
                image.header.set_slope_inter(1, 0)
                letter = "le" if order == "<" else "be"
                save(f"v{version}_{letter}_{dtype}.nii", image, golden)
    scaled = nib.Nifti1Image(voxels("f4") * 100, affine)
    scaled.set_data_dtype("i2")  # nibabel chooses slope and intercept itself
    save("scaled.nii.gz", scaled, golden)
    only_q = nib.Nifti1Image(voxels("i2"), affine)
    only_q.set_sform(None, code=0)
    only_q.set_qform(affine, code=1)
    save("qform_only.nii", only_q, golden)
    none = nib.Nifti1Image(voxels("i2"), None)
    none.header.set_zooms((1.5, 2, 3))
    none.set_sform(None, code=0)
    none.set_qform(None, code=0)
    save("no_form.nii", none, golden)
    # qform_code above sform_code: nibabel still takes the sform
    higher = nib.Nifti1Image(voxels("i2"), affine)
    nearly = affine.copy()
    nearly[0, 3] += 0.04
    higher.set_sform(affine, code=1)
    higher.set_qform(nearly, code=2)
    save("higher_qform.nii", higher, golden)
    last_one = nib.Nifti1Image(voxels("i2")[..., None], affine)
    save("four_d_last_one.nii", last_one, golden)
    four = nib.Nifti1Image(np.stack([voxels("i2")] * 4, -1), affine)
    nib.save(four, HERE / "four_d.nii")
    rgb = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(rgb, affine), HERE / "rgb.nii")
    nib.save(nib.Nifti1Image(voxels("f4").astype("c8"), affine), HERE / "complex.nii")
    extended = nib.Nifti1Image(voxels("i2"), affine)
    extended.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"an extension"))
    save("extension.nii.gz", extended, golden)
    # two gzip members: the voxels begin in the first and end in the second
    raw = (HERE / "v1_le_i2.nii").read_bytes()
    (HERE / "two_members.nii.gz").write_bytes(
        gzip.compress(raw[:400], mtime=0) + gzip.compress(raw[400:], mtime=0)
    )
    golden["two_members.nii.gz"] = golden["v1_le_i2.nii"]
    (HERE / "golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps({p: describe(p) for p in sys.argv[1:]}, indent=1))
    else:
        main()
