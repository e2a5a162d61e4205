#!/usr/bin/env python3
"""What this device reaches: a copy from memory to memory, and matrix products of random values.

python bench/peers/ceilings.py [--device cuda] [--size 8192]
`{"cmd": "measure"}` → copyBytesPerSecond (read and written), and flops by precision.
"""

import argparse

import torch
from protocol import serve
from timing import Timer, name_of


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--size", type=int, default=8192, help="edge of the matrices")
    options = parser.parse_args()
    timer = Timer(options.device)

    def measure(_message) -> dict:
        n = options.size
        source = torch.randn(16 * n * n // 4, device=options.device)
        target = torch.empty_like(source)
        copied = timer.median(lambda: target.copy_(source), 10)
        answer = {"copyBytesPerSecond": 2 * source.numel() * 4 / copied}
        for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16), ("fp32", torch.float32)):
            a, b = (torch.randn(n, n, device=options.device, dtype=dtype) for _ in range(2))
            answer[name] = 2 * n**3 / timer.median(lambda a=a, b=b: a @ b, 10)
        return answer

    cudnn = torch.backends.cudnn.version()
    serve({"measure": measure}, {"options": vars(options), "cudnn": cudnn, "device": name_of(options.device)})


if __name__ == "__main__":
    main()
