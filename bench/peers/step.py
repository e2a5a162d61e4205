#!/usr/bin/env python3
"""Peer of the step benchmark: one S3D pre-training step of ResEnc-L in PyTorch, dense times mask.

python bench/peers/step.py --patch 64 --threads 2 --batch 1 --mask-ratio 0.75 [--layout channels_last]
                           [--malloc tuned] [--norm gather|sums] [--block-edge 32] [--warm-up 1]
Protocol: see protocol.py. `{"cmd": "step"}` → seconds, forward, backward, optimizer, loss, peakRssBytes.
"""

import argparse
import time

import torch
from protocol import serve, use_malloc
from s3d_torch import S3D, Plan, draw_cells, make_optimizer, masked_mse


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--patch", type=int, nargs="+", default=[64], help="edge, or depth height width")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--mask-ratio", type=float, default=0.75)
    parser.add_argument("--block-edge", type=int, default=32)
    parser.add_argument("--layout", choices=["contiguous", "channels_last"], default="contiguous")
    parser.add_argument("--malloc", choices=["default", "tuned"], default="default")
    parser.add_argument("--norm", choices=["gather", "sums"], default="gather")
    parser.add_argument("--norm-kind", choices=["instance", "batch"], default="instance")
    parser.add_argument("--features", type=int, nargs="+", help="default: ResEnc-L")
    parser.add_argument("--blocks", type=int, nargs="+", help="default: ResEnc-L")
    parser.add_argument("--warm-up", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


class Step:
    def __init__(self, options):
        generator = torch.Generator().manual_seed(options.seed)
        torch.manual_seed(options.seed)
        sizes = {k: getattr(options, k) for k in ("features", "blocks") if getattr(options, k)}
        self.model = S3D(Plan(norm=options.norm_kind, norm_by=options.norm, **sizes))
        patch = options.patch * 3 if len(options.patch) == 1 else options.patch
        grid = [p // options.block_edge for p in patch]
        if any(p % options.block_edge for p in patch):
            raise SystemExit(f"patch {patch} is not a multiple of the block edge {options.block_edge}")
        self.x = torch.randn(options.batch, 1, *patch, generator=generator)
        self.cells = draw_cells(options.batch, grid, options.mask_ratio, generator)
        if options.layout == "channels_last":
            self.model = self.model.to(memory_format=torch.channels_last_3d)
            self.x = self.x.to(memory_format=torch.channels_last_3d)
        self.optimizer = make_optimizer(self.model)
        self.visible = int(self.cells.sum())

    def run(self, _message=None) -> dict:
        start = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        loss = masked_mse(self.model(self.x, self.cells), self.x, self.cells)
        forward = time.perf_counter()
        loss.backward()
        backward = time.perf_counter()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 12.0)
        self.optimizer.step()
        end = time.perf_counter()
        return {
            "seconds": end - start,
            "forward": forward - start,
            "backward": backward - forward,
            "optimizer": end - backward,
            "loss": loss.item(),
        }


def main():
    options = arguments()
    use_malloc(options.malloc)
    torch.set_num_threads(options.threads)
    step = Step(options)
    for _ in range(options.warm_up):
        step.run()
    ready = {"options": vars(options), "visibleBlocks": step.visible, "blocks": step.cells.numel()}
    ready["parameters"] = sum(p.numel() for p in step.model.parameters())
    serve({"step": step.run}, ready)


if __name__ == "__main__":
    main()
