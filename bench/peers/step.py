#!/usr/bin/env python3
"""Peer of the step benchmark: one S3D pre-training step of ResEnc-L in PyTorch, dense times mask.

python bench/peers/step.py --patch 64 --threads 2 --batch 1 --mask-ratio 0.75 [--layout channels_last]
                           [--malloc tuned] [--norm gather|sums] [--in-place] [--block-edge 32] [--warm-up 1]
                           [--device cuda] [--precision fp16]
Protocol: see protocol.py. `{"cmd": "step"}` → seconds, loss, peakBytes (of tensors on a GPU), peakRssBytes, on the CPU
also forward, backward, optimizer. `{"cmd": "mask", "ratio": 0.6}` draws another mask,
`{"cmd": "variant", "layout": "channels_last", "norms": "compiled"}` takes another memory layout and other norms: gather,
sums, or sums compiled, in the place of which a process without a compiler takes gather and says so. A precision other than fp32 is autocast, with a loss scaler for fp16.
"""

import argparse
import sys
import time

import s3d_torch
import torch
from protocol import serve, use_malloc
from s3d_torch import S3D, Plan, draw_cells, make_optimizer, masked_mse
from timing import Timer, name_of

MEMORY = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last_3d}
AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--patch", type=int, nargs="+", default=[64], help="edge, or depth height width")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--mask-ratio", type=float, default=0.75)
    parser.add_argument("--block-edge", type=int, default=32)
    parser.add_argument("--layout", choices=list(MEMORY), default="contiguous")
    parser.add_argument("--malloc", choices=["default", "tuned"], default="default")
    parser.add_argument("--norm", choices=["gather", "sums"], default="gather")
    parser.add_argument("--in-place", action="store_true", help="activations, as nnU-Net's are")
    parser.add_argument("--norm-kind", choices=["instance", "batch"], default="instance")
    parser.add_argument("--features", type=int, nargs="+", help="default: ResEnc-L")
    parser.add_argument("--blocks", type=int, nargs="+", help="default: ResEnc-L")
    parser.add_argument("--warm-up", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=list(AUTOCAST), default="fp32")
    return parser.parse_args()


class Step:
    def __init__(self, options):
        self.options = options
        self.generator = torch.Generator().manual_seed(options.seed)
        torch.manual_seed(options.seed)
        sizes = {k: getattr(options, k) for k in ("features", "blocks") if getattr(options, k)}
        patch = options.patch * 3 if len(options.patch) == 1 else options.patch
        self.grid = [p // options.block_edge for p in patch]
        if any(p % options.block_edge for p in patch):
            raise SystemExit(f"patch {patch} is not a multiple of the block edge {options.block_edge}")
        self.model = S3D(Plan(norm=options.norm_kind, norm_by=options.norm, in_place=options.in_place, **sizes)).to(options.device)
        self.x = torch.randn(options.batch, 1, *patch, generator=self.generator).to(options.device)
        self.draw_mask({"ratio": options.mask_ratio})
        self.lay_out(options.layout)
        self.optimizer = make_optimizer(self.model)
        self.timer = Timer(options.device)
        self.scaler = torch.amp.GradScaler(options.device, enabled=options.precision == "fp16")

    def draw_mask(self, message) -> dict:
        ratio = message["ratio"]
        self.cells = draw_cells(self.options.batch, self.grid, ratio, self.generator).to(self.options.device)
        self.visible = int(self.cells.sum())
        return {"visibleBlocks": self.visible}

    def lay_out(self, layout) -> None:
        self.model = self.model.to(memory_format=MEMORY[layout])
        self.x = self.x.to(memory_format=MEMORY[layout])
        self.layout = layout

    def loss(self):
        kind, dtype = self.options.device, AUTOCAST[self.options.precision]
        with torch.autocast(kind, dtype=dtype, enabled=dtype is not None):
            prediction = self.model(self.x, self.cells)
        return masked_mse(prediction.float(), self.x, self.cells)

    def update(self) -> None:
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 12.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def run(self, _message=None) -> dict:
        return self.run_gpu() if self.options.device == "cuda" else self.run_cpu()

    def run_gpu(self) -> dict:
        loss = None

        def whole():
            nonlocal loss
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss()
            self.scaler.scale(loss).backward()
            self.update()

        self.timer.reset_peak()
        return {"seconds": self.timer.once(whole), "loss": loss.item(), "peakBytes": self.timer.peak_bytes()}

    def run_cpu(self) -> dict:
        start = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        forward = time.perf_counter()
        self.scaler.scale(loss).backward()
        backward = time.perf_counter()
        self.update()
        end = time.perf_counter()
        return {
            "seconds": end - start,
            "forward": forward - start,
            "backward": backward - forward,
            "optimizer": end - backward,
            "loss": loss.item(),
            "peakBytes": self.timer.peak_bytes(),
        }


class CompiledNorms:
    """Norms as few kernels that keep their input alone; only tried, since a compiler may be missing."""

    def __init__(self, step):
        self.step, self.function = step, None

    def prepare(self) -> None:
        # One graph for all channel counts: a module's parameters would have their sizes compiled in, views of them do
        # not. What would fall back in silence would not be what it is called.
        torch._dynamo.config.recompile_limit = 64
        torch._dynamo.config.fail_on_recompile_limit_hit = True
        self.function = torch.compile(s3d_torch.summed_instance_norm, dynamic=True)

    def __call__(self, x, mask, weight, bias, _by):
        return self.function(x, mask, *s3d_torch.columns(weight, bias))

    def work(self, memory) -> bool:
        """Compiles them for the largest maps, those for which the compiler's choices matter."""
        options, channels = self.step.options, self.step.model.plan.features[0]
        dtype = AUTOCAST[options.precision]
        try:
            if self.function is None:
                self.prepare()
            x = torch.randn(options.batch, channels, *self.step.x.shape[2:], device=options.device, dtype=dtype)
            x = x.to(memory_format=memory).requires_grad_()
            weight = torch.ones(channels, device=options.device, requires_grad=True)
            for mask in (s3d_torch.Masks(self.step.cells, "dense").at(x.shape[2:]), None):
                with torch.autocast(options.device, dtype=dtype, enabled=dtype is not None):
                    y = self(x, mask, weight, weight, "sums")
                y.backward(torch.ones_like(y))
        except Exception as error:
            print(f"norms are not compiled: {error}", file=sys.stderr)
            return False
        return True


class Variants:
    """What a step can be given beside its sizes."""

    def __init__(self, step):
        self.step, self.eager = step, s3d_torch.instance_norm
        self.compiled = CompiledNorms(step)

    def take(self, message) -> dict:
        norms, step = message["norms"], self.step
        step.lay_out(message["layout"])
        if step.options.device == "cuda":
            torch.cuda.empty_cache()  # blocks of other sizes
        if norms == "compiled" and not self.compiled.work(MEMORY[step.layout]):
            norms = "gather"  # of the others the one that keeps least
        s3d_torch.instance_norm = self.compiled if norms == "compiled" else self.eager
        step.model.plan.norm_by = norms if norms == "gather" else "sums"
        return {"norms": norms, "layout": step.layout}


def main():
    options = arguments()
    use_malloc(options.malloc)
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True
    step = Step(options)
    for _ in range(options.warm_up):
        step.run()
    ready = {"options": vars(options), "visibleBlocks": step.visible, "blocks": step.cells.numel()}
    ready["parameters"] = sum(p.numel() for p in step.model.parameters())
    ready |= {"layout": step.layout, "device": name_of(options.device)}
    commands = {"step": step.run, "mask": step.draw_mask, "variant": Variants(step).take}
    serve(commands, ready, go_on=options.device == "cuda")


if __name__ == "__main__":
    main()
