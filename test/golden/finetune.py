"""Golden curve of fine-tuning: 20 steps of a small ResEnc U-Net with deep supervision under the two-stage warm-up."""

from pathlib import Path

import pattern
import torch
import torch.nn.functional as F
from small_s3d import SEED, Plan, round_weights, save
from s3d_torch import Masks, ResEncUNet
from store import write_json

FEATURES, BLOCKS = [8, 12, 16, 16], [1, 2, 2, 1]
SIZE, SAMPLES, STEPS, CLASSES = (16, 16, 16), 2, 20, 3
FROZEN, RAMP, PEAK, POWER, CLIP = 5, 5, 1e-2, 0.9, 12.0  # steps and rates of the schedule
WEIGHTS = [2 / 3, 1 / 3]  # 1, 1/2 and, of the lowest of the three decoder stages, 0; normalised
SMOOTH = 1e-5


def labels_of(x: torch.Tensor) -> torch.Tensor:
    """(N, 1, D, H, W): 2 above 1/2, 1 above -1/2, else 0; 0 in the plane x = 0 too, which lies outside of the image."""
    y = (x > -0.5).double() + (x > 0.5).double()
    y[..., 0] = 0
    return y


def segmentation_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy minus the mean soft Dice of classes and samples, without background."""
    p = logits.softmax(1)
    g = F.one_hot(labels[:, 0].long(), CLASSES).movedim(-1, 1).to(p.dtype)
    axes = (2, 3, 4)
    dice = (2 * (p * g).sum(axes) + SMOOTH) / (p.sum(axes) + g.sum(axes) + SMOOTH)
    return F.cross_entropy(logits, labels[:, 0].long()) - dice[:, 1:].mean()


def scales(model: ResEncUNet, x: torch.Tensor) -> list:
    """Logits of the two highest resolutions, highest first."""
    trace: dict = {}
    model.decoder(model.encoder(x, Masks(None, "dense")), trace)
    return [model.decoder.seg_layers[s](trace[f"decoder.{s}"]) for s in (2, 1)]


def rate(step: int) -> float:
    if step < FROZEN:
        return PEAK * (1 + step) / FROZEN
    if step < FROZEN + RAMP:
        return PEAK * (1 + step - FROZEN) / RAMP
    begin = FROZEN + RAMP
    return PEAK * (1 - (step - begin) / (STEPS - begin)) ** POWER


def train(model: ResEncUNet, dtype) -> dict:
    curve: dict = {"losses": [], "gradNorms": [], "rates": []}
    optimizer = None
    for step in range(STEPS):
        if step in (0, FROZEN):  # a new optimiser where the trained set changes
            for p in model.encoder.parameters():
                p.requires_grad_(step >= FROZEN)
            trained = [p for p in model.parameters() if p.requires_grad]
            optimizer = torch.optim.SGD(trained, lr=0, momentum=0.99, nesterov=True, weight_decay=3e-5)
        x = torch.from_numpy(pattern.batch(SEED, 200 + step, SAMPLES, SIZE))
        target = labels_of(x)
        half = F.interpolate(target, scale_factor=0.5, mode="nearest-exact")
        optimizer.zero_grad()
        optimizer.param_groups[0]["lr"] = rate(step)
        outputs = scales(model, x.to(dtype))
        loss = sum(w * segmentation_loss(z, y) for w, z, y in zip(WEIGHTS, outputs, (target, half)))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, CLIP)
        optimizer.step()
        curve["losses"].append(loss.item())
        curve["gradNorms"].append(norm.item())
        curve["rates"].append(rate(step))
    return curve


def write(folder: Path, versions: dict) -> int:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(12)
    plan = Plan(features=FEATURES, blocks=BLOCKS, out_channels=CLASSES)
    model, single = ResEncUNet(plan).double(), ResEncUNet(plan)
    round_weights(model)
    state = {f"state.{k}": v.clone() for k, v in model.state_dict().items()}
    single.load_state_dict({k: v.float() for k, v in model.state_dict().items()})
    double = train(model, torch.float64)
    curve32 = train(single, torch.float32)
    entry = {
        "name": "two_stage_warmup",
        "file": "finetune/two_stage_warmup.safetensors",
        "features": FEATURES,
        "blocks": BLOCKS,
        "classes": CLASSES,
        "patch": list(SIZE),
        "samples": SAMPLES,
        "steps": STEPS,
        "schedule": {"learningRate": PEAK, "polyPower": POWER, "frozenShare": FROZEN / STEPS, "rampShare": RAMP / STEPS},
        "clip": CLIP,
        "input": {"seed": SEED, "firstStep": 200},
        "float64": double,
        "float32LossError": max(abs(a - b) for a, b in zip(curve32["losses"], double["losses"])),
        "float32NormError": max(abs(a - b) / b for a, b in zip(curve32["gradNorms"], double["gradNorms"])),
    }
    write_json(folder.with_suffix(".json"), {
        "format": "voxelspark-golden-1",
        "versions": versions,
        "precision": "computed in float64 from float32 weights and inputs",
        "input": "pattern(seed, step) by the formula in pattern.py; labels: 2 above 1/2, 1 above -1/2, else 0; "
                 "0 where x is 0",
        "float32LossError": "of PyTorch's own float32 run, absolute",
        "cases": [entry],
    })
    return save(folder / "two_stage_warmup.safetensors", state)
