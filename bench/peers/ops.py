#!/usr/bin/env python3
"""Peer of the per-operation benchmark: single layers in PyTorch.

python bench/peers/ops.py --threads 1
`{"cmd": "run", "op": "conv3d", "pass": "forward", "shape": [1, 32, 64, 64, 64], "channels": 32, "kernel": 3,
  "stride": 1, "layout": "contiguous", "repeats": 5}` → seconds (median), all, flops, gflops
op: conv3d | conv_transpose3d (kernel = stride) with pass forward | grad_input | grad_weight;
    instance_norm | instance_norm_leaky_relu | leaky_relu with pass forward | backward
"""

import argparse
import math
import statistics
import time

import torch
import torch.nn.functional as F
from protocol import serve, use_malloc

MEMORY = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last_3d}
CONVOLUTIONS = ("conv3d", "conv_transpose3d")


def triple(value) -> list:
    return list(value) if isinstance(value, list) else [value] * 3


def convolution(message: dict, memory) -> tuple:
    """One pass through PyTorch's own convolution, forward or the backward with only one output asked for."""
    transposed = message["op"] == "conv_transpose3d"
    shape, c_out = message["shape"], message["channels"]
    stride = triple(message.get("stride", 2 if transposed else 1))
    kernel = stride if transposed else triple(message.get("kernel", 3))
    padding = [0] * 3 if transposed else [(k - 1) // 2 for k in kernel]
    pair = [shape[1], c_out] if transposed else [c_out, shape[1]]
    x = torch.randn(shape).to(memory_format=memory)
    w = torch.randn([*pair, *kernel]).to(memory_format=memory)
    bias = torch.randn(c_out)
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
    dy = torch.randn(y.shape).to(memory_format=memory)
    rest = (dy, x, w, [c_out], stride, padding, [1] * 3, transposed, [0] * 3, 1, wanted[which])
    return (lambda: torch.ops.aten.convolution_backward(*rest)), flops


def pointwise(message: dict, memory) -> tuple:
    shape = message["shape"]
    gamma, beta = torch.randn(2, shape[1]).unbind()
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
    x = torch.randn(shape).to(memory_format=memory)
    if which == "forward":
        return (lambda: function(x)), 0
    gamma.requires_grad_(), beta.requires_grad_(), x.requires_grad_()
    y = function(x)
    dy = torch.randn(y.shape).to(memory_format=memory)
    leaves = [x] if message["op"] == "leaky_relu" else [x, gamma, beta]
    return (lambda: torch.autograd.grad(y, leaves, dy, retain_graph=True)), 0


def measure(message: dict) -> dict:
    layout = message.get("layout", "contiguous")
    if layout not in MEMORY:
        raise ValueError(f"layout is {layout!r}, allowed are {', '.join(MEMORY)}")
    make = convolution if message["op"] in CONVOLUTIONS else pointwise
    function, flops = make(message, MEMORY[layout])
    with torch.set_grad_enabled(message.get("pass") == "backward"):
        function()  # warm up
        times = []
        for _ in range(message.get("repeats", 5)):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    answer = {"seconds": seconds, "all": times}
    return {**answer, "flops": flops, "gflops": flops / seconds / 1e9} if flops else answer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--malloc", choices=["default", "tuned"], default="default")
    options = parser.parse_args()
    use_malloc(options.malloc)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    serve({"run": measure}, {"options": vars(options)})


if __name__ == "__main__":
    main()
