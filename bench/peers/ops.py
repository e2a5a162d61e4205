#!/usr/bin/env python3
"""Peer of the per-operation benchmark: single layers in PyTorch.

python bench/peers/ops.py --threads 1 [--device cuda]
`{"cmd": "run", "op": "conv3d", "pass": "forward", "shape": [1, 32, 64, 64, 64], "channels": 32, "kernel": 3,
  "stride": 1, "layout": "contiguous", "repeats": 5}` → seconds (median), all, flops, gflops
op: conv3d | conv_transpose3d (kernel = stride) with pass forward | grad_input | grad_weight;
    instance_norm | instance_norm_leaky_relu | leaky_relu with pass forward | backward
Optional: "precision": "bf16" | "fp16", and "profile": true → kernels, the names that the profiler saw, longest first
"""

import argparse
import functools
import math
import statistics

import torch
import torch.nn.functional as F
from protocol import serve, use_malloc
from timing import Timer

MEMORY = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last_3d}
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
CONVOLUTIONS = ("conv3d", "conv_transpose3d")


def triple(value) -> list:
    return list(value) if isinstance(value, list) else [value] * 3


def convolution(message: dict, memory, randn) -> tuple:
    """One pass through PyTorch's own convolution, forward or the backward with only one output asked for."""
    transposed = message["op"] == "conv_transpose3d"
    shape, c_out = message["shape"], message["channels"]
    stride = triple(message.get("stride", 2 if transposed else 1))
    kernel = stride if transposed else triple(message.get("kernel", 3))
    padding = [0] * 3 if transposed else [(k - 1) // 2 for k in kernel]
    pair = [shape[1], c_out] if transposed else [c_out, shape[1]]
    x = randn(shape).to(memory_format=memory)
    w = randn([*pair, *kernel]).to(memory_format=memory)
    bias = randn(c_out)
    conv = (x, w, bias, stride, padding, [1] * 3, transposed, [0] * 3, 1)
    y = torch.convolution(*conv)
    places = y[0, 0].numel() if not transposed else x[0, 0].numel()
    flops = 2 * shape[0] * places * math.prod([shape[1], c_out, *kernel])
    which = message.get("pass", "forward")
    if which == "forward":
        return (lambda: torch.convolution(*conv)), flops
    wanted = {"grad_input": [True, False, False], "grad_weight": [False, True, True]}
    if which not in wanted:
        raise ValueError(f"pass is {which!r}, allowed are forward, {', '.join(wanted)}")
    dy = randn(y.shape).to(memory_format=memory)
    rest = (dy, x, w, [c_out], stride, padding, [1] * 3, transposed, [0] * 3, 1, wanted[which])
    return (lambda: torch.ops.aten.convolution_backward(*rest)), flops


def pointwise(message: dict, memory, randn) -> tuple:
    shape = message["shape"]
    gamma, beta = randn(2, shape[1]).unbind()
    functions = {
        "instance_norm": lambda x: F.instance_norm(x, weight=gamma, bias=beta),
        "instance_norm_leaky_relu": lambda x: F.leaky_relu(F.instance_norm(x, weight=gamma, bias=beta), 0.01),
        "leaky_relu": lambda x: F.leaky_relu(x, 0.01),
    }
    if message["op"] not in functions:
        raise ValueError(f"op is {message['op']!r}, allowed are {', '.join([*CONVOLUTIONS, *functions])}")
    function, which = functions[message["op"]], message.get("pass", "forward")
    if which not in ("forward", "backward"):
        raise ValueError(f"pass is {which!r}, allowed are forward and backward")
    x = randn(shape).to(memory_format=memory)
    if which == "forward":
        return (lambda: function(x)), 0
    gamma.requires_grad_(), beta.requires_grad_(), x.requires_grad_()
    y = function(x)
    dy = randn(y.shape).to(memory_format=memory)
    leaves = [x] if message["op"] == "leaky_relu" else [x, gamma, beta]
    return (lambda: torch.autograd.grad(y, leaves, dy, retain_graph=True)), 0


def kernels_of(function) -> list:
    """Names of the GPU's kernels in one call, longest first: which algorithm a library chose."""
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            function()
            torch.cuda.synchronize()
        events = sorted(profile.key_averages(), key=lambda e: -e.device_time_total)
        return [e.key for e in events if e.device_time_total > 0][:4]
    except Exception as error:  # the names are worth less than the time
        return [f"not known: {type(error).__name__}: {error}"]


def measure(message: dict, device: str = "cpu") -> dict:
    layout, precision = message.get("layout", "contiguous"), message.get("precision", "fp32")
    if layout not in MEMORY:
        raise ValueError(f"layout is {layout!r}, allowed are {', '.join(MEMORY)}")
    make = convolution if message["op"] in CONVOLUTIONS else pointwise
    randn = functools.partial(torch.randn, device=device, dtype=TYPES[precision])
    function, flops = make(message, MEMORY[layout], randn)
    with torch.set_grad_enabled(message.get("pass") == "backward"):
        times = Timer(device).all(function, message.get("repeats", 5))
        profiled = message.get("profile") and device == "cuda"
        kernels = kernels_of(function) if profiled else []
    seconds = statistics.median(times)
    answer = {"seconds": seconds, "all": times, "kernels": kernels}
    return {**answer, "flops": flops, "gflops": flops / seconds / 1e9} if flops else answer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--malloc", choices=["default", "tuned"], default="default")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--go-on", action="store_true", help="after an error, e.g. out of memory")
    options = parser.parse_args()
    use_malloc(options.malloc)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    ready = {"options": vars(options), "tf32": torch.backends.cudnn.allow_tf32}
    serve({"run": functools.partial(measure, device=options.device)}, ready, options.go_on)


if __name__ == "__main__":
    main()
