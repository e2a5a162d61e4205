#!/usr/bin/env python3
"""Losses of the first steps of S3D in PyTorch, from weights, patches and masks that a file gives.

python bench/peers/curve.py --device cuda
`{"cmd": "curve", "precision": "fp32", "weights": file.safetensors, "data": file, "steps": 20, "batch": 2,
  "patch": [64, 64, 64], "grid": [2, 2, 2], "visible": [[0, 1, …] a step], "features": […], "blocks": […],
  "rate": 0.01, "momentum": 0.99}` → losses
`data` holds the patches of all steps, float32.
"""

import argparse
import json
import math

import torch
from protocol import serve
from s3d_torch import S3D, Plan, masked_mse

AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def read_safetensors(file) -> dict:
    with open(file, "rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        body = bytearray(stream.read())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32", f"{name} is {entry['dtype']}"
        tensors[name] = torch.frombuffer(body[begin:end], dtype=torch.float32).view(entry["shape"])
    return tensors


def curve(message, device) -> dict:
    model = S3D(Plan(features=message["features"], blocks=message["blocks"]))
    loaded = read_safetensors(message["weights"])
    own = model.state_dict()
    unknown = [name for name in loaded if name not in own]
    if unknown:
        raise ValueError(f"weights that this model does not have: {unknown[:3]}")
    # What is left out, unused heads, changes no loss.
    model.load_state_dict({**own, **{name: t.view(own[name].shape) for name, t in loaded.items()}})
    model.to(device)
    trained = [p for name, p in model.named_parameters() if name in loaded]
    optimizer = torch.optim.SGD(
        trained, lr=message["rate"], momentum=message["momentum"], nesterov=True, weight_decay=3e-5
    )
    dtype = AUTOCAST[message["precision"]]
    scaler = torch.amp.GradScaler(device, enabled=message["precision"] == "fp16" and device == "cuda")
    shape = [message["batch"], 1, *message["patch"]]
    size = 4 * math.prod(shape)
    losses = []
    with open(message["data"], "rb") as stream:
        for visible in message["visible"]:
            x = torch.frombuffer(bytearray(stream.read(size)), dtype=torch.float32).view(shape).to(device)
            cells = torch.tensor(visible, dtype=torch.float32, device=device).view(shape[0], 1, *message["grid"])
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device, dtype=dtype, enabled=dtype is not None):
                prediction = model(x, cells)
            loss = masked_mse(prediction.float(), x, cells)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(trained, 12.0)
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.item())
    return {"losses": losses}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    options = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False  # the reference is float32
    serve({"curve": lambda message: curve(message, options.device)}, {"options": vars(options)})


if __name__ == "__main__":
    main()
