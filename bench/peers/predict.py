#!/usr/bin/env python3
"""Peer of the prediction benchmark: nnU-Net's sliding window in PyTorch over a volume in memory, with its own choices.

python bench/peers/predict.py --volume 160 192 160 --patch 48 --features 8 16 32 32 --blocks 1 1 2 2 --channels 3
                              [--threads 2] [--malloc tuned]
Windows overlap by half and weigh by a Gaussian, no mirroring; logits are added up for the whole volume, weights beside
them, in half precision as upstream does; then argmax. Protocol: see protocol.py. `{"cmd": "predict"}` → seconds.
"""

import argparse
import itertools
import math
import time

import torch
from protocol import serve, use_malloc
from s3d_torch import Plan, ResEncUNet


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--volume", type=int, nargs=3, required=True)
    parser.add_argument("--patch", type=int, required=True, help="edge")
    parser.add_argument("--features", type=int, nargs="+", required=True)
    parser.add_argument("--blocks", type=int, nargs="+", required=True)
    parser.add_argument("--channels", type=int, default=3, help="of the logits")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--malloc", choices=["default", "tuned"], default="default")
    return parser.parse_args()


def starts(size, patch):
    steps = math.ceil((size - patch) / (patch * 0.5))
    return [round(i * (size - patch) / max(steps, 1)) for i in range(steps + 1)]


def gaussian(patch):
    distance = torch.arange(patch) - patch // 2
    bell = torch.exp(-0.5 * (distance / (patch / 8)) ** 2)
    window = 10 * bell[:, None, None] * bell[None, :, None] * bell[None, None, :]
    return window.half().clamp(min=6e-8)


class Prediction:
    def __init__(self, options):
        torch.manual_seed(0)
        plan = Plan(features=options.features, blocks=options.blocks, out_channels=options.channels)
        self.options = options
        self.model = ResEncUNet(plan).eval()
        self.volume = torch.randn(1, 1, *options.volume)

    @torch.inference_mode()
    def run(self, _message=None) -> dict:
        options = self.options
        start = time.perf_counter()
        window = gaussian(options.patch)
        logits = torch.zeros(options.channels, *options.volume, dtype=torch.half)
        weight = torch.zeros(options.volume, dtype=torch.half)
        corners = list(itertools.product(*(starts(size, options.patch) for size in options.volume)))
        for corner in corners:
            place = tuple(slice(c, c + options.patch) for c in corner)
            logits[(slice(None), *place)] += self.model(self.volume[(slice(None), slice(None), *place)])[0] * window
            weight[place] += window
        labels = (logits / weight).argmax(0).to(torch.uint8)
        return {"seconds": time.perf_counter() - start, "windows": len(corners), "voxels": labels.numel()}


def main():
    options = arguments()
    use_malloc(options.malloc)
    torch.set_num_threads(options.threads)
    prediction = Prediction(options)
    with torch.inference_mode():
        prediction.model(prediction.volume[..., : options.patch, : options.patch, : options.patch])
    serve({"predict": prediction.run}, {"options": vars(options)})


if __name__ == "__main__":
    main()
