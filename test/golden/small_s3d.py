"""Golden values of a small S3D: activations, loss, all gradients, and a 20-step pre-training curve."""

import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pattern
import torch
from safetensors.torch import save_file
from store import Mask, Source, write_json

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "peers"))
from s3d_torch import S3D, Plan, make_optimizer, masked_mse  # noqa: E402

FEATURES, BLOCKS = [8, 12, 16], [1, 2, 2]
ANISOTROPIC = {
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "kernels": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
}
# name: plan fields, patch, block edge, visible cells of each sample, seed of weights and mask.
# The seeds are those where no activation sits on a LeakyReLU kink of any weight: see `kink_error`.
CASES = {
    "instance": ({}, (32, 32, 32), 8, [16, 24], 2500),
    "batch": ({"norm": "batch"}, (32, 32, 32), 8, [16, 24], 2201),
    "instance_anisotropic": (ANISOTROPIC, (16, 32, 32), 8, [8, 12], 2402),
    "batch_anisotropic": ({"norm": "batch", **ANISOTROPIC}, (16, 32, 32), 8, [8, 12], 2503),
    "coarse_dense": ({"coarse": "dense"}, (16, 16, 16), 2, [128, 200], 2004),
    "coarse_any": ({"coarse": "any"}, (16, 16, 16), 2, [20, 40], 2005),
}
# ablation switches and upstream parity, on the weights and input of case 'instance'
SWITCHES = {
    "upstream_input": {"mask_input": False},
    "dense_encoder": {"sparse": False},
    "no_token": {"mask_token": False},
    "no_densify_conv": {"densify_conv": False},
    "sparse_only": {"mask_token": False, "densify_conv": False},
    "base_mae": {"sparse": False, "mask_token": False, "densify_conv": False},
    "base_mae_unmasked_input": {"sparse": False, "mask_token": False, "densify_conv": False, "mask_input": False},
}
PROBE = 3  # big activations are kept at every third voxel of each axis
PROBE_ABOVE = 60_000  # elements
SEED = 7


def build(fields: dict) -> S3D:
    return S3D(Plan(features=FEATURES, blocks=BLOCKS, **fields)).double()


def telling_weights(model: S3D, draw: Source) -> None:
    """Default initialisation hides mistakes (gain 1, shift 0, tiny tokens): draw every weight at random."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("norm.weight"):
                p.copy_(draw.uniform(*p.shape, low=0.5, high=1.5))
            elif p.dim() == 1:
                p.copy_(draw.normal(*p.shape, scale=0.2))
            elif name.startswith("mask_tokens"):
                p.copy_(draw.normal(*p.shape, scale=0.5))
            else:
                p.copy_(draw.normal(*p.shape, scale=float(np.sqrt(1.5 / p[0].numel()))))


def round_weights(model: S3D) -> None:
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.float())


def run(model: S3D, x: torch.Tensor, cells: torch.Tensor):
    """Loss, activations and gradients; parameters outside the graph have none."""
    trace: dict = {}
    loss = masked_mse(model(x, cells, trace), x, cells)
    model.zero_grad()
    loss.backward()
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return loss.item(), {k: v.detach() for k, v in trace.items()}, grads


def total_norm(grads: dict) -> float:
    return torch.stack([g.norm() for g in grads.values()]).norm().item()


def vanishing(grads: dict) -> list:
    """Gradients that are 0 but for rounding: the bias of a convolution whose output a norm centres again."""
    return [k for k, g in grads.items() if g.norm() < 1e-6 * total_norm(grads)]


def gradient_error(found: dict, wanted: dict) -> float:
    """Largest relative L2 error of one parameter's gradient, vanishing ones aside."""
    return max(relative(found[k], g) for k, g in wanted.items() if k not in vanishing(wanted))


def kink_error(model: S3D, x, cells, grads) -> float:
    """Gradient error when every convolution's output gets noise of 1e-6 of its spread, about float32's own.

    One activation that changes side of a LeakyReLU kink moves some gradients by 1e-4 to 1e-2: such golden values
    could not be met by any float32 implementation, so they are refused.
    """
    worst = 0.0
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)

        def noise(_module, _inputs, y):
            return y + 1e-6 * y.detach().std() * torch.randn(y.shape, generator=generator, dtype=y.dtype)

        convs = [m for m in model.modules() if isinstance(m, (torch.nn.Conv3d, torch.nn.ConvTranspose3d))]
        hooks = [m.register_forward_hook(noise) for m in convs]
        worst = max(worst, gradient_error(run(model, x, cells)[2], grads))
        for hook in hooks:
            hook.remove()
    if worst > 3e-5:
        raise ValueError(f"gradients change by {worst:.1e} under rounding noise, allowed is 3e-5: take another seed")
    return worst


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a.double() - b).norm() / b.norm().clamp_min(1e-30)).item()


def single_precision_error(model: S3D, x, cells, loss, trace, grads) -> dict:
    """What PyTorch itself loses in float32: the yardstick of the tests' tolerances."""
    single = S3D(model.plan)
    single.load_state_dict({k: v.float() for k, v in model.state_dict().items()})
    loss32, trace32, grads32 = run(single, x.float(), cells.float())
    return {
        "loss": abs(loss32 - loss) / loss,
        "activation": max(relative(trace32[k], v) for k, v in trace.items()),
        "gradient": gradient_error(grads32, grads),
        "vanishing": max(grads32[k].norm().item() / total_norm(grads) for k in vanishing(grads)),
    }


def probe(t: torch.Tensor) -> torch.Tensor:
    if t.numel() <= PROBE_ABOVE or t.shape[1] == 1:
        return t
    return t[:, :, ::PROBE, ::PROBE, ::PROBE]


def save(path: Path, tensors: dict) -> int:
    save_file({k: v.detach().float().contiguous().clone() for k, v in tensors.items()}, path)
    path.chmod(0o644)
    return path.stat().st_size


def check(x: torch.Tensor) -> dict:
    """Exact in float64 in any order: the values are multiples of 2^-16."""
    return {"first": x.flatten()[:4].tolist(), "sum": x.sum().item()}


def camel(fields: dict) -> dict:
    """Plan fields under the names of the TypeScript plan."""
    parts = {k: k.split("_") for k in fields}
    return {p[0] + "".join(w.title() for w in p[1:]): fields[k] for k, p in parts.items()}


def golden_case(name: str, index: int, folder: Path) -> tuple:
    fields, size, edge, visible, seed = CASES[name]
    draw = Source(seed)
    model = build(fields)
    telling_weights(model, draw)
    mask = draw.mask(tuple(s // edge for s in size), visible)
    cells = mask.at(mask.grid)
    x = torch.from_numpy(pattern.batch(SEED, index, len(visible), size))
    tensors = {f"state.{k}": v.clone() for k, v in model.state_dict().items()}  # running statistics: before
    before = {k: v.clone() for k, v in model.state_dict().items()}
    loss, trace, grads = run(model, x, cells)
    tensors |= {f"activation.{k}": probe(v) for k, v in trace.items()}
    tensors |= {f"grad.{k}": v for k, v in grads.items()}
    tensors |= {f"after.{k}": v.clone() for k, v in model.state_dict().items() if "running" in k}
    after_loss = None
    if model.plan.norm == "batch":  # evaluation uses the running statistics that the step has just made
        model.eval()
        after_loss = masked_mse(model(x, cells), x, cells).item()
        model.train()
    model.load_state_dict(before)
    error = single_precision_error(model, x, cells, loss, trace, grads)
    entry = {
        "name": name,
        "file": f"s3d/{name}.safetensors",
        "plan": camel({k: v for k, v in asdict(model.plan).items() if k != "norm_by"}),
        "patch": list(size),
        "blockEdge": edge,
        "mask": mask.describe(),
        "input": {"seed": SEED, "step": index, **check(x)},
        "activations": {k: {"shape": list(v.shape), "probe": 1 if probe(v) is v else PROBE} for k, v in trace.items()},
        "loss": loss,
        "gradNorm": total_norm(grads),
        "withoutGradient": [n for n, p in model.named_parameters() if n not in grads],
        "vanishing": vanishing(grads),
        "float32Error": error,
        "noiseError": kink_error(model, x, cells, grads),
    }
    if after_loss is not None:
        entry["evaluationLoss"] = after_loss
    if name == "instance":
        entry["switches"] = switch_losses(fields, before, x, cells)
    return entry, save(folder / f"{name}.safetensors", tensors)


def switch_losses(fields: dict, state: dict, x, cells) -> list:
    """Weights a variant lacks are left out of the state; nothing else differs."""
    found = []
    for name, switches in SWITCHES.items():
        model = build({**fields, **switches})
        model.load_state_dict({k: state[k] for k in model.state_dict()})
        loss, trace, grads = run(model, x, cells)
        sums = {k: v.square().mean().item() for k, v in trace.items()}
        found.append({"name": name, **camel(switches), "loss": loss, "gradNorm": total_norm(grads), "meanSquares": sums})
    return found


STEPS, RATE, POWER = 20, 1e-2, 0.9
CLIPS = {"instance": 12.0, "batch": 0.5}  # the second is below most gradient norms, so clipping acts


def curve_masks(draw: Source, grid: tuple, samples: int) -> list:
    """Dynamic ratio U[0.6, 0.9], one draw a step, as the method has it."""
    cells = int(np.prod(grid))
    return [draw.mask(grid, [cells - int(draw.rng.uniform(0.6, 0.9) * cells)] * samples) for _ in range(STEPS)]


def train(model: S3D, masks: list, size: tuple, clip: float, dtype) -> dict:
    optimizer = make_optimizer(model)
    curve: dict = {"losses": [], "gradNorms": []}
    for step, mask in enumerate(masks):
        cells = mask.at(mask.grid).to(dtype)
        x = torch.from_numpy(pattern.batch(SEED, 100 + step, len(mask.flags), size)).to(dtype)
        optimizer.zero_grad()
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS) ** POWER
        loss = masked_mse(model(x, cells), x, cells)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        curve["losses"].append(loss.item())
        curve["gradNorms"].append(norm.item())
    return curve


def golden_curve(folder: Path, norm: str) -> tuple:
    """Default initialisation, one new patch pair and mask a step."""
    size, grid, samples = (32, 32, 32), (4, 4, 4), 2
    torch.manual_seed(11)
    model = build({"norm": norm})
    round_weights(model)
    tensors = {f"state.{k}": v.clone() for k, v in model.state_dict().items()}
    single = S3D(model.plan)
    single.load_state_dict({k: v.float() for k, v in model.state_dict().items()})
    masks = curve_masks(Source(3000), grid, samples)
    double = train(model, masks, size, CLIPS[norm], torch.float64)
    single_curve = train(single, masks, size, CLIPS[norm], torch.float32)
    tensors |= {f"final.{k}": v for k, v in model.state_dict().items()}
    gaps = [abs(a - b) / b for a, b in zip(single_curve["losses"], double["losses"])]
    name = f"curve_{norm}"
    entry = {
        "name": name,
        "file": f"s3d/{name}.safetensors",
        "plan": camel({k: v for k, v in asdict(model.plan).items() if k != "norm_by"}),
        "patch": list(size),
        "blockEdge": 8,
        "optimizer": {"momentum": 0.99, "nesterov": True, "weightDecay": 3e-5, "clip": CLIPS[norm],
                      "learningRate": RATE, "power": POWER, "steps": STEPS},
        "input": {"seed": SEED, "firstStep": 100},
        "masks": [m.describe() for m in masks],
        "float64": double,
        "float32": single_curve,
        "float32LossError": max(gaps),
        "float32WeightError": max(
            relative(single.state_dict()[k], v) for k, v in model.state_dict().items() if v.norm() > 0),
    }
    return entry, save(folder / f"{name}.safetensors", tensors)


def write(folder: Path, versions: dict) -> int:
    folder.mkdir(exist_ok=True)
    pairs = [golden_case(name, i, folder) for i, name in enumerate(CASES)]
    pairs += [golden_curve(folder, norm) for norm in ("instance", "batch")]
    write_json(folder.with_suffix(".json"), {
        "format": "voxelspark-golden-1",
        "versions": versions,
        "precision": "computed in float64 from float32 weights and inputs, rounded once to float32",
        "tensors": "state.<parameter>, activation.<name>, grad.<parameter>, after.<running statistic>, "
                   "final.<parameter> of the curves; parameters under withoutGradient are left alone by SGD",
        "activationNames": "encoder.<stage>: output of the stage; densified.<stage>: what the decoder gets; "
                           "decoder.<s>: output of decoder stage s, 0 is the lowest; prediction",
        "probe": "3: only the voxels with z, y and x divisible by 3 are stored",
        "input": "pattern(seed, step) by the formula in pattern.py; the target is the unmasked input",
        "learningRate": "at step t: learningRate * (1 - t / steps) ^ power",
        "vanishing": "parameters whose true gradient is 0 (a norm cancels the convolution's bias): compare "
                     "|g| with gradNorm, not with itself",
        "float32Error": "PyTorch's own float32 run: relative L2 error of the loss, the worst activation, the worst "
                        "gradient; of the vanishing ones the largest |g| / gradNorm",
        "noiseError": "the same gradient error after noise of 1e-6 in every convolution's output",
        "cases": [entry for entry, _ in pairs],
    })
    return sum(size for _, size in pairs)
