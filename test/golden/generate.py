#!/usr/bin/env python3
"""Golden values for the tests, from PyTorch on the CPU.

Made with Python 3.11, torch 2.13, numpy 2.4, safetensors 0.8 (other versions are refused).
Run `python test/golden/generate.py [ops | s3d | finetune]`; a second run writes the same bytes.
"""

import sys
from pathlib import Path

import finetune
import ops
import small_s3d
import torch
from store import check_versions

HERE = Path(__file__).resolve().parent
PARTS = {
    "ops": lambda versions: ops.write(HERE / "ops", versions),
    "s3d": lambda versions: small_s3d.write(HERE / "s3d", versions),
    "finetune": lambda versions: finetune.write(HERE / "finetune", versions),
}


def main(names: list) -> None:
    versions = check_versions()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the order of every sum is fixed
    for name in names or PARTS:
        if name not in PARTS:
            raise SystemExit(f"unknown part {name!r}; parts are {', '.join(PARTS)}")
        size = PARTS[name](versions)
        print(f"{name}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
