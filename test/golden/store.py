"""Golden store: random inputs, block masks, and the safetensors + JSON files that the tests read."""

import json
import math
import platform
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

VERSIONS = {"python": "3.11", "torch": "2.13", "numpy": "2.4", "safetensors": "0.8"}


def check_versions() -> dict:
    """Golden values are only comparable when made by the pinned versions: refuse any other."""
    import safetensors

    found = {
        "python": platform.python_version(),
        "torch": torch.__version__.split("+")[0],
        "numpy": np.__version__,
        "safetensors": safetensors.__version__,
    }
    for name, wanted in VERSIONS.items():
        if not found[name].startswith(wanted + "."):
            raise SystemExit(f"{name} is {found[name]}, the golden values are pinned to {wanted}.x")
    return found


class Source:
    """Seeded inputs. Drawn as float32 and widened, so that both sides start from the very same numbers."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)

    def normal(self, *shape: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
        values = (self.rng.standard_normal(shape) * scale + shift).astype(np.float32)
        return torch.from_numpy(values.astype(np.float64))

    def integers(self, *shape: int, low: int = -2, high: int = 2) -> torch.Tensor:
        return torch.from_numpy(self.rng.integers(low, high + 1, shape).astype(np.float64))

    def uniform(self, *shape: int, low: float, high: float) -> torch.Tensor:
        values = self.rng.uniform(low, high, shape).astype(np.float32)
        return torch.from_numpy(values.astype(np.float64))

    def mask(self, grid: tuple, visible: list) -> "Mask":
        """A random mask with `visible[n]` visible cells in sample n."""
        cells = math.prod(grid)
        flags = np.zeros((len(visible), cells), np.uint8)
        for sample, count in enumerate(visible):
            flags[sample, self.rng.permutation(cells)[:count]] = 1
        return Mask(grid, flags)


@dataclass
class Mask:
    """Block mask, 1 = visible; the cell edge at a stage is size / grid."""

    grid: tuple
    flags: np.ndarray  # (samples, cells), C order

    def at(self, size) -> torch.Tensor:
        """Voxel mask (N, 1, D, H, W) at a stage of spatial size `size`."""
        cells = torch.from_numpy(self.flags.astype(np.float64)).reshape(len(self.flags), 1, *self.grid)
        for axis, (extent, count) in enumerate(zip(size, self.grid)):
            if extent % count:
                raise ValueError(f"size {extent} on axis {axis} is not a multiple of the mask grid {count}")
            cells = cells.repeat_interleave(extent // count, dim=2 + axis)
        return cells

    def describe(self) -> dict:
        return {
            "samples": len(self.flags),
            "grid": list(self.grid),
            "visible": "".join(str(v) for v in self.flags.reshape(-1)),
        }


@dataclass
class Case:
    """One golden case. Tensor groups map an argument's name to its value."""

    op: str
    name: str
    attributes: dict
    inputs: dict
    outputs: dict
    upstream: dict = field(default_factory=dict)
    grads: dict = field(default_factory=dict)
    mask: Mask | None = None
    exact: bool = False  # integers small enough that float32 sums are exact: compare bit for bit


def backward(inputs: dict, outputs: dict, upstream: dict) -> dict:
    """Gradient of sum(output * upstream) with respect to every input that asks for one."""
    leaves = {k: v for k, v in inputs.items() if v.requires_grad}
    total = sum((outputs[k] * g).sum() for k, g in upstream.items())
    return dict(zip(leaves, torch.autograd.grad(total, list(leaves.values()))))


class Store:
    """Collects cases and writes `<folder>/<op>.safetensors` and `<folder>.json`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.tensors: dict = {}
        self.entries: list = []

    def add(self, case: Case) -> None:
        if any(e["op"] == case.op and e["name"] == case.name for e in self.entries):
            raise ValueError(f"golden case {case.op}/{case.name} exists twice")
        entry = {"op": case.op, "name": case.name, "file": f"{self.folder.name}/{case.op}.safetensors"}
        entry["attributes"] = case.attributes
        entry["mask"] = case.mask.describe() if case.mask else None
        if case.exact:
            entry["exact"] = True
        for group in ("inputs", "outputs", "upstream", "grads"):
            entry[group] = {k: self._keep(case, group, k, v) for k, v in getattr(case, group).items()}
        self.entries.append(entry)

    def _keep(self, case: Case, group: str, key: str, value: torch.Tensor) -> str:
        name = f"{case.name}/{group}.{key}"
        rounded = value.detach().to(torch.float32).contiguous().clone()
        if not torch.isfinite(rounded).all():
            raise ValueError(f"golden tensor {case.op}/{name} is not finite")
        self.tensors.setdefault(case.op, {})[name] = rounded
        return name

    def write(self, header: dict) -> int:
        self.folder.mkdir(exist_ok=True)
        for op, tensors in self.tensors.items():
            path = self.folder / f"{op}.safetensors"
            save_file(tensors, path)
            path.chmod(0o644)
        write_json(self.folder.with_suffix(".json"), {**header, "cases": self.entries})
        return sum(f.stat().st_size for f in self.folder.glob("*.safetensors"))


def write_json(path: Path, content: dict) -> None:
    """One case a line: readable in a diff, small on disk."""
    head = {k: v for k, v in content.items() if k != "cases"}
    text = json.dumps(head, indent=1)
    if "cases" in content:
        lines = ",\n".join("  " + json.dumps(e, separators=(",", ":")) for e in content["cases"])
        text = text[:-2] + ',\n "cases": [\n' + lines + "\n ]\n}"
    path.write_text(text + "\n")
