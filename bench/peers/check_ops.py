#!/usr/bin/env python3
"""Judges results of ours by PyTorch in float64, and tells how far PyTorch itself is off in a lower precision.

python bench/peers/check_ops.py [--device cuda]
`{"cmd": "check", "op": "conv3d", "precision": "bf16", "attributes": {…}, "inputs": {"x": {"file": …, "shape": […],
  "feature": true, "masked": true, "constant": false}}, "mask": {"samples", "grid", "visible"} or null,
  "upstream": file or null, "found": {"y": file, "x": file …}}`
→ `{"errors": {"y": …}, "own": {"y": …}}`: relative L2 distances of the output `y` and of the gradients of the inputs;
null where PyTorch has no such op in that precision.
Files hold float32 in (N, C, D, H, W) order; a masked tensor is dense times mask, as the public implementations do it.
"""

import argparse

import torch
import torch.nn.functional as F
from protocol import serve
from s3d_torch import Masks, instance_norm, masked_mse

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def times(x, cells):
    return x if cells is None else x * Masks(cells, "dense").at(x.shape[2:]).to(x.dtype)


def conv3d(i, a, cells):
    x = torch.cat((i["x"], i["x2"]), 1) if "x2" in i else i["x"]
    return times(F.conv3d(times(x, cells), i["weight"], i["bias"], a["stride"], a["padding"]), cells)


def masked_norm(i, a, cells):
    x = times(i["x"], cells)
    mask = None if cells is None else Masks(cells, "dense").at(x.shape[2:])
    return F.leaky_relu(instance_norm(x, mask, i["gamma"], i["beta"], "sums"), a["slope"])


def densify(i, _, cells):
    mask = Masks(cells, "dense").at(i["x"].shape[2:])
    return torch.where(mask > 0, i["x"], i["token"].view(1, -1, 1, 1, 1))


def dice_cross_entropy(i, _, __):
    z, labels = i["x"], i["labels"][:, 0].long()
    g = F.one_hot(labels, z.shape[1]).movedim(-1, 1).to(z)[:, 1:]
    p = F.softmax(z, 1)[:, 1:]
    intersection, sizes = (p * g).sum((2, 3, 4)), (p + g).sum((2, 3, 4))
    return F.cross_entropy(z, labels) - ((2 * intersection + 1e-5) / torch.clip(sizes + 1e-5, 1e-8)).mean()


OPS = {
    "conv3d": conv3d,
    "conv_transpose3d": lambda i, a, _: F.conv_transpose3d(i["x"], i["weight"], i["bias"], a["stride"]),
    "masked_norm": masked_norm,
    "leaky_relu": lambda i, a, _: F.leaky_relu(i["x"], a["slope"]),
    "avg_pool3d": lambda i, _, cells: times(F.avg_pool3d(times(i["x"], cells), 2), cells),
    "densify": densify,
    "masked_mse": lambda i, _, cells: masked_mse(i["x"], i["target"], cells),
    "dice_cross_entropy": dice_cross_entropy,
}


class Judge:
    def __init__(self, device):
        self.device = device

    def read(self, file, shape, dtype):
        with open(file, "rb") as stream:
            data = torch.frombuffer(bytearray(stream.read()), dtype=torch.float32)
        return data.view(shape).to(self.device, dtype)

    def exact(self, message) -> dict:
        """In float64, for which a GPU's library may lack a convolution."""
        try:
            return self.run(message, torch.float64)
        except RuntimeError:
            device, self.device = self.device, "cpu"
            try:
                return {name: t.to(device) for name, t in self.run(message, torch.float64).items()}
            finally:
                self.device = device

    def run(self, message, dtype) -> dict:
        """Output and gradients in one precision; labels stay what they are."""
        inputs = {}
        for name, spec in message["inputs"].items():
            t = self.read(spec["file"], spec["shape"], dtype)
            inputs[name] = t.requires_grad_(not spec["constant"])
        cells = None
        if message["mask"]:
            m = message["mask"]
            # Under autocast a mask, and with it what a norm sums, is float32 whatever the feature maps are.
            kind = torch.promote_types(dtype, torch.float32)
            cells = torch.tensor(m["visible"], dtype=kind, device=self.device).view(m["samples"], 1, *m["grid"])
        y = OPS[message["op"]](inputs, message["attributes"], cells)
        upstream = torch.ones_like(y) if message["upstream"] is None else self.read(message["upstream"], y.shape, y.dtype)
        y.backward(upstream)
        return {"y": y.detach(), **{n: t.grad for n, t in inputs.items() if t.grad is not None}}

    def check(self, message) -> dict:
        wanted = self.exact(message)
        try:
            own = self.run(message, TYPES[message["precision"]])
        except RuntimeError:  # what PyTorch does not have in that precision
            own = None

        def distance(found, name):
            size = wanted[name].norm().clamp(min=1e-300)
            return ((found.double() - wanted[name]).norm() / size).item()

        found = {n: self.read(f, wanted[n].shape, torch.float64) for n, f in message["found"].items()}
        return {
            "errors": {n: distance(t, n) for n, t in found.items()},
            "own": {n: distance(own[n], n) if own else None for n in found},
        }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    options = parser.parse_args()
    # What PyTorch in float32 is off by should not be TF32's.
    torch.backends.cudnn.allow_tf32 = False
    judge = Judge(options.device)
    serve({"check": judge.check}, {"options": vars(options)}, go_on=True)


if __name__ == "__main__":
    main()
