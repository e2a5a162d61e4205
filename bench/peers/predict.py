#!/usr/bin/env python3
"""Peer of the prediction benchmark: nnU-Net's sliding window in PyTorch over a volume in memory, with its own choices.

python bench/peers/predict.py --volume 160 192 160 --patch 48 --features 8 16 32 32 --blocks 1 1 2 2 --channels 3
                              [--threads 2] [--malloc tuned] [--device cuda] [--precision fp16]
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
from timing import Timer


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--volume", type=int, nargs=3, required=True)
    parser.add_argument("--patch", type=int, required=True, help="edge")
    parser.add_argument("--features", type=int, nargs="+", required=True)
    parser.add_argument("--blocks", type=int, nargs="+", required=True)
    parser.add_argument("--channels", type=int, default=3, help="of the logits")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--malloc", choices=["default", "tuned"], default="default")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16", "fp16"], default="fp32", help="other than fp32: autocast")
    return parser.parse_args()


def starts(size, patch):
    steps = math.ceil((size - patch) / (patch * 0.5))
    return [round(i * (size - patch) / max(steps, 1)) for i in range(steps + 1)]


def gaussian(patch, device):
    distance = torch.arange(patch, device=device) - patch // 2
    bell = torch.exp(-0.5 * (distance / (patch / 8)) ** 2)
    window = 10 * bell[:, None, None] * bell[None, :, None] * bell[None, None, :]
    return window.half().clamp(min=6e-8)


class Prediction:
    def __init__(self, options):
        torch.manual_seed(0)
        plan = Plan(features=options.features, blocks=options.blocks, out_channels=options.channels)
        self.options = options
        self.model = ResEncUNet(plan).eval().to(options.device)
        self.volume = torch.randn(1, 1, *options.volume, device=options.device)
        self.timer = Timer(options.device)
        self.dtype = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[options.precision]

    def network(self, window):
        with torch.autocast(self.options.device, dtype=self.dtype, enabled=self.dtype is not None):
            return self.model(window)

    @torch.inference_mode()
    def run(self, _message=None) -> dict:
        options = self.options
        self.timer.reset_peak()
        start = time.perf_counter()
        device = options.device
        window = gaussian(options.patch, device)
        logits = torch.zeros(options.channels, *options.volume, dtype=torch.half, device=device)
        weight = torch.zeros(options.volume, dtype=torch.half, device=device)
        corners = list(itertools.product(*(starts(size, options.patch) for size in options.volume)))
        for corner in corners:
            place = tuple(slice(c, c + options.patch) for c in corner)
            logits[(slice(None), *place)] += self.network(self.volume[(slice(None), slice(None), *place)])[0] * window
            weight[place] += window
        labels = (logits / weight).argmax(0).to(torch.uint8)
        self.timer.wait()
        seconds, peak = time.perf_counter() - start, self.timer.peak_bytes()
        return {"seconds": seconds, "windows": len(corners), "voxels": labels.numel(), "peakBytes": peak}


def main():
    options = arguments()
    use_malloc(options.malloc)
    torch.set_num_threads(options.threads)
    prediction = Prediction(options)
    torch.backends.cudnn.benchmark = True
    with torch.inference_mode():
        prediction.network(prediction.volume[..., : options.patch, : options.patch, : options.patch])
    serve({"predict": prediction.run}, {"options": vars(options)})


if __name__ == "__main__":
    main()
