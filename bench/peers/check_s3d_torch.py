"""Checks s3d_torch.py against the published architecture: `check_s3d_torch.py [names.json]`.

names.json is a list of [name, shape] of an upstream state dict, each unit under two names.
"""

import json
import re
import sys

import torch
from s3d_torch import S3D, Masks, Plan, ResEncUNet, draw_cells, instance_norm


def count(model):
    return sum(p.numel() for p in model.parameters())


def check_counts():
    expected = {(1, 1): 102_348_965, (1, 2): 102_349_770, (2, 2): 102_350_634, (4, 2): 102_352_362}
    for (c_in, c_out), wanted in expected.items():
        with torch.device("meta"):
            found = count(ResEncUNet(Plan(in_channels=c_in, out_channels=c_out)))
        assert found == wanted, f"{c_in} -> {c_out}: {found} parameters, published {wanted}"
    with torch.device("meta"):
        model = S3D(Plan())
    unused = sum(p.numel() for s in range(4) for p in model.decoder.seg_layers[s].parameters())
    trained = count(model) - unused
    assert trained == 110_202_433, f"S3D trains {trained} parameters, published 110202433"


def check_names(path):
    with open(path) as file:
        published = {n: tuple(s) for n, s in json.load(file) if not re.search(r"all_modules|^decoder\.encoder", n)}
    with torch.device("meta"):
        ours = {n: tuple(p.shape) for n, p in ResEncUNet(Plan()).named_parameters()}
    assert ours == published, sorted(set(ours.items()) ^ set(published.items()))[:5]
    print(f"{len(ours)} names and shapes agree")


def check_norms():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 4, 4, 4, generator=generator, dtype=torch.float64)
    mask = torch.zeros(2, 1, 4, 4, 4, dtype=torch.float64)
    mask[0, :, :2], mask[1, :, :, 2:] = 1, 1
    w, b = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(*(instance_norm(x, mask, w, b, by) for by in ("sums", "gather")))


def check_models():
    """The whole model is the same by either norm, and its encoder never sees masked intensities."""
    sizes = {"features": [4, 6], "blocks": [1, 1]}
    model = S3D(Plan(**sizes)).double()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 1, 8, 8, 8, generator=generator, dtype=torch.float64)
    cells = draw_cells(2, [4, 4, 4], 0.6, generator).double()
    plain = model(x, cells)
    hidden = 1 - Masks(cells, "dense").at(x.shape[2:])
    assert torch.equal(plain, model(x + hidden * torch.randn_like(x), cells)), "masked intensities leak"
    for module in model.modules():
        if hasattr(module, "plan"):
            module.plan.norm_by = "gather"
    torch.testing.assert_close(model(x, cells), plain)


if __name__ == "__main__":
    check_counts()
    check_norms()
    check_models()
    if len(sys.argv) > 1:
        check_names(sys.argv[1])
    print("parameter counts, norms and models agree")
