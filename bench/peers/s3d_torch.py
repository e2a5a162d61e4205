"""S3D (sparse masked-autoencoder pre-training of a ResEnc U-Net) in PyTorch, dense times mask.

Written from the project's own description of the method (sections 1 to 5). It is the reference of the golden
tests and the peer of the step benchmark. Tensors are (N, C, D, H, W); parameter names are the canonical ones,
with one tensor per layer. A mask is a float tensor (N, 1, gd, gh, gw), 1 = visible.
"""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

SLOPE = 0.01
EPS = 1e-5


@dataclass
class Plan:
    """Sizes of the network and switches of the sparsification; the defaults are ResEnc-L with S3D."""

    features: list = field(default_factory=lambda: [32, 64, 128, 256, 320, 320])
    blocks: list = field(default_factory=lambda: [1, 3, 4, 6, 6, 6])
    strides: list | None = None  # per stage (d, h, w); default 1 then 2
    kernels: list | None = None  # per stage (d, h, w); default 3
    in_channels: int = 1
    out_channels: int = 1
    norm: str = "instance"  # 'instance' | 'batch', of every unit; the norm before densify is always instance
    sparse: bool = True  # convolution, pooling and norm see visible voxels only
    mask_token: bool = True  # norm without affine, then masked voxels take the token
    densify_conv: bool = True  # 3x3x3 convolution on every level but the finest
    mask_input: bool = True  # False: upstream parity, the stem sees masked intensities at block borders
    coarse: str = "dense"  # stages coarser than the mask grid: 'dense' | 'any' (a cell with any visible part)
    norm_by: str = "sums"  # 'gather' collects the visible voxels first, as the public implementations do
    in_place: bool = False  # activations overwrite what they read, as nnU-Net's do: less memory, the same values

    def __post_init__(self):
        stages = len(self.features)
        self.strides = self.strides or [[1, 1, 1]] + [[2, 2, 2]] * (stages - 1)
        self.kernels = self.kernels or [[3, 3, 3]] * stages
        if self.coarse not in ("dense", "any"):
            raise ValueError(f"coarse is {self.coarse!r}, allowed are 'dense' and 'any'")


class Masks:
    """The block mask seen at each stage's resolution; None where a stage is dense."""

    def __init__(self, cells: torch.Tensor | None, coarse: str):
        self.cells, self.coarse, self.cache = cells, coarse, {}

    def at(self, size) -> torch.Tensor | None:
        size = tuple(size)
        if self.cells is not None and size not in self.cache:
            self.cache[size] = self._resize(size)
        return self.cache.get(size)

    def _resize(self, size) -> torch.Tensor | None:
        grid = tuple(self.cells.shape[2:])
        if all(s < g for s, g in zip(size, grid)):
            return None if self.coarse == "dense" else F.adaptive_max_pool3d(self.cells, size)
        if any(s % g for s, g in zip(size, grid)):
            raise ValueError(f"stage size {size} is not a multiple of the mask grid {grid}")
        mask = self.cells
        for axis in range(3):
            mask = mask.repeat_interleave(size[axis] // grid[axis], dim=2 + axis)
        return mask.clone()  # what is a view of what would be compiled in


def times(x, mask):
    return x if mask is None else x * mask.to(x.dtype)


def masked_statistics(x, mask, axes):
    if mask is None:
        mask = x.new_ones(1, 1, 1, 1, 1).expand(x.shape[0], 1, *x.shape[2:])
    count = mask.sum(axes, keepdim=True)
    mean = (x * mask).sum(axes, keepdim=True) / count
    var = ((x - mean).square() * mask).sum(axes, keepdim=True) / count
    return mean, var, count


def instance_norm(x, mask, weight, bias, by):
    """Per sample and channel over visible voxels; masked voxels come out as exactly 0."""
    if mask is None:
        return F.instance_norm(x, weight=weight, bias=bias, eps=EPS)
    if by == "gather":
        return gathered_instance_norm(x, mask, weight, bias)
    return summed_instance_norm(x, mask, *columns(weight, bias))


def columns(*parameters):
    return [None if p is None else p.view(1, -1, 1, 1, 1) for p in parameters]


def summed_instance_norm(x, mask, weight, bias):
    """Dense, too, for a compiler: PyTorch's own norm copies what is channels last."""
    if mask is None:
        var, mean = torch.var_mean(x.float(), (2, 3, 4), correction=0, keepdim=True)
    else:
        mean, var, _ = masked_statistics(x, mask, (2, 3, 4))
    y = (x - mean) * torch.rsqrt(var + EPS)
    if weight is not None:
        y = y * weight + bias
    return times(y, mask).to(x.dtype)  # under autocast statistics are float32, feature maps are not


def gathered_instance_norm(x, mask, weight, bias):
    """Needs the same number of visible voxels in each sample."""
    n, c = x.shape[:2]
    where = mask.squeeze(1).nonzero(as_tuple=True)
    last = x.permute(0, 2, 3, 4, 1)
    rows = last[where].reshape(n, -1, c).transpose(1, 2)
    rows = F.instance_norm(rows, weight=weight, bias=bias, eps=EPS).transpose(1, 2).reshape(-1, c)
    y = torch.zeros_like(last)
    y[where] = rows.to(y.dtype)
    return y.permute(0, 4, 1, 2, 3)


class Norm(nn.Module):
    def __init__(self, channels: int, plan: Plan):
        super().__init__()
        self.plan = plan
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        if plan.norm == "batch":
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x, mask=None):
        if self.plan.norm == "instance":
            return instance_norm(x, mask, self.weight, self.bias, self.plan.norm_by)
        return self._batch(x, mask)

    def _batch(self, x, mask, momentum=0.1):
        column = (1, -1, 1, 1, 1)
        if self.training:
            mean, var, count = masked_statistics(x, mask, (0, 2, 3, 4))
            with torch.no_grad():  # the running variance takes the unbiased estimate
                self.running_mean.lerp_(mean.flatten(), momentum)
                self.running_var.lerp_((var * count / (count - 1)).flatten(), momentum)
        else:
            mean, var = self.running_mean.view(column), self.running_var.view(column)
        y = (x - mean) * torch.rsqrt(var + EPS) * self.weight.view(column) + self.bias.view(column)
        return times(y, mask)


class Unit(nn.Module):
    """Convolution, norm and, where asked for, LeakyReLU."""

    def __init__(self, c_in, c_out, kernel, stride, plan, bias=True, activate=True):
        super().__init__()
        padding = [(k - 1) // 2 for k in kernel]
        self.conv = nn.Conv3d(c_in, c_out, kernel, stride, padding, bias=bias)
        self.norm = Norm(c_out, plan)
        self.activate, self.in_place = activate, plan.in_place

    def forward(self, x, masks):
        y = self.conv(x)
        mask = masks.at(y.shape[2:])
        y = self.norm(times(y, mask), mask)
        return F.leaky_relu(y, SLOPE, self.in_place) if self.activate else y


class Pool(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = tuple(stride)

    def forward(self, x, masks):
        y = F.avg_pool3d(x, self.stride, self.stride)
        return times(y, masks.at(y.shape[2:]))


class Block(nn.Module):
    """Residual block; the skip pools first, then projects if the channels change."""

    def __init__(self, c_in, c_out, kernel, stride, plan):
        super().__init__()
        self.conv1 = Unit(c_in, c_out, kernel, stride, plan)
        self.conv2 = Unit(c_out, c_out, kernel, [1, 1, 1], plan, activate=False)
        skip = [Pool(stride)] if any(s != 1 for s in stride) else []
        if c_in != c_out:
            skip.append(Unit(c_in, c_out, [1, 1, 1], [1, 1, 1], plan, bias=False, activate=False))
        self.skip = nn.ModuleList(skip)
        self.in_place = plan.in_place

    def forward(self, x, masks):
        y = self.conv2(self.conv1(x, masks), masks)
        for layer in self.skip:
            x = layer(x, masks)
        return F.leaky_relu(y + x, SLOPE, self.in_place)


class Holder(nn.Module):
    """A level of the parameter names, nothing else."""

    def __init__(self, **children):
        super().__init__()
        for name, child in children.items():
            setattr(self, name, nn.ModuleList(child))


class Encoder(nn.Module):
    def __init__(self, plan: Plan):
        super().__init__()
        f = plan.features
        self.stem = Holder(convs=[Unit(plan.in_channels, f[0], plan.kernels[0], [1, 1, 1], plan)])
        self.stages = nn.ModuleList()
        for i, count in enumerate(plan.blocks):
            first = Block(f[max(i - 1, 0)], f[i], plan.kernels[i], plan.strides[i], plan)
            rest = [Block(f[i], f[i], plan.kernels[i], [1, 1, 1], plan) for _ in range(count - 1)]
            self.stages.append(Holder(blocks=[first, *rest]))

    def forward(self, x, masks):
        x = self.stem.convs[0](x, masks)
        skips = []
        for stage in self.stages:
            for block in stage.blocks:
                x = block(x, masks)
            skips.append(x)
        return skips


class Decoder(nn.Module):
    """Stage s = 0 is the lowest; every stage owns a head, only the last one is used."""

    def __init__(self, plan: Plan):
        super().__init__()
        f = plan.features
        self.transpconvs, self.stages, self.seg_layers = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level in range(len(f) - 2, -1, -1):
            stride = tuple(plan.strides[level + 1])
            self.transpconvs.append(nn.ConvTranspose3d(f[level + 1], f[level], stride, stride))
            unit = Unit(2 * f[level], f[level], plan.kernels[level], [1, 1, 1], plan)
            self.stages.append(Holder(convs=[unit]))
            self.seg_layers.append(nn.Conv3d(f[level], plan.out_channels, 1))

    def forward(self, skips, trace=None):
        dense = Masks(None, "dense")
        x = skips[-1]
        for s, skip in enumerate(reversed(skips[:-1])):
            x = self.stages[s].convs[0](torch.cat([self.transpconvs[s](x), skip], 1), dense)
            if trace is not None:
                trace[f"decoder.{s}"] = x
        return self.seg_layers[-1](x)


class ResEncUNet(nn.Module):
    def __init__(self, plan: Plan):
        super().__init__()
        self.encoder, self.decoder = Encoder(plan), Decoder(plan)

    def forward(self, x):
        return self.decoder(self.encoder(x, Masks(None, "dense")))


class S3D(ResEncUNet):
    def __init__(self, plan: Plan):
        super().__init__(plan)
        self.plan = plan
        f = plan.features
        if plan.mask_token:
            self.mask_tokens = nn.ParameterList(nn.Parameter(truncated_token(c)) for c in f)
        if plan.densify_conv:
            self.densify_projs = nn.ModuleDict(
                {str(i): nn.Conv3d(f[i], f[i], 3, padding=1) for i in range(1, len(f))}
            )

    def densify(self, i, x, masks):
        """Norm, token, convolution of one level; `masks` are the real ones even in a dense encoder."""
        mask = masks.at(x.shape[2:])
        if self.plan.mask_token:
            x = instance_norm(x, mask if self.plan.sparse else None, None, None, self.plan.norm_by)
            if mask is not None:
                x = torch.where(mask > 0, x, self.mask_tokens[i].to(x.dtype))
        return self.densify_projs[str(i)](x) if self.plan.densify_conv and i > 0 else x

    def forward(self, x, cells, trace=None):
        masks = Masks(cells, self.plan.coarse)
        if self.plan.mask_input:
            x = times(x, masks.at(x.shape[2:]))
        skips = self.encoder(x, masks if self.plan.sparse else Masks(None, "dense"))
        dense = [self.densify(i, skip, masks) for i, skip in enumerate(skips)]
        prediction = self.decoder(dense, trace)
        if trace is not None:
            trace.update({f"encoder.{i}": t for i, t in enumerate(skips)})
            trace.update({f"densified.{i}": t for i, t in enumerate(dense)})
            trace["prediction"] = prediction
        return prediction


def truncated_token(channels: int) -> torch.Tensor:
    """N(0, 0.02) cut at +-0.02."""
    return nn.init.trunc_normal_(torch.empty(1, channels, 1, 1, 1), std=0.02, a=-0.02, b=0.02)


def masked_mse(prediction, target, cells):
    """Mean squared error over all masked voxels of the whole batch."""
    hidden = 1 - Masks(cells, "dense").at(prediction.shape[2:])
    return ((prediction - target).square() * hidden).sum() / (hidden.sum() * prediction.shape[1])


def make_optimizer(model, rate=1e-2):
    used = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.SGD(used, lr=rate, momentum=0.99, nesterov=True, weight_decay=3e-5)


def draw_cells(samples, grid, ratio, generator):
    """Uniform mask with trunc(ratio * cells) masked cells in each sample."""
    count = math.prod(grid)
    cells = torch.ones(samples, count)
    for row in cells:
        row[torch.randperm(count, generator=generator)[: int(ratio * count)]] = 0
    return cells.view(samples, 1, *grid)
