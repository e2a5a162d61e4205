"""Golden cases of single operations, in float64, written as dense-times-mask (method.md section 3)."""

import torch
import torch.nn.functional as F
from store import Case, Mask, Source, Store, backward

SLOPE = 0.01
EPS = 1e-5
KINK = 1e-5  # smallest distance from a LeakyReLU kink that a golden value may have


def leaf(t: torch.Tensor) -> torch.Tensor:
    return t.clone().requires_grad_(True)


def masked(t: torch.Tensor, mask: Mask | None) -> torch.Tensor:
    return t if mask is None else t * mask.at(t.shape[2:])


def conv3d(store: Store, draw: Source) -> None:
    """y = m_out * (conv(m_in * x) + bias); padding (k - 1) / 2."""

    def case(name, shape, c_out, kernel, stride, bias=True, grid=None, visible=None, integer=False):
        n, c_in, *size = shape
        mask = draw.mask(grid, visible) if grid else None
        sample = draw.integers if integer else draw.normal
        x, w = leaf(sample(*shape)), leaf(sample(c_out, c_in, *kernel))
        inputs = {"x": x, "weight": w}
        if bias:
            inputs["bias"] = leaf(sample(c_out))
        padding = [(k - 1) // 2 for k in kernel]
        y = masked(F.conv3d(masked(x, mask), w, inputs.get("bias"), stride, padding), mask)
        upstream = {"y": sample(*y.shape)}
        attributes = {"kernel": list(kernel), "stride": list(stride), "padding": padding}
        grads = backward(inputs, {"y": y}, upstream)
        store.add(Case("conv3d", name, attributes, inputs, {"y": y}, upstream, grads, mask, integer))

    k1, k3, k133, k311, k313 = (1,) * 3, (3,) * 3, (1, 3, 3), (3, 1, 1), (3, 1, 3)
    s1, s2, s122, s211 = (1,) * 3, (2,) * 3, (1, 2, 2), (2, 1, 1)
    # dense
    case("dense_k3_1to5", (2, 1, 6, 5, 7), 5, k3, s1)
    case("dense_k3_5to3_nobias", (1, 5, 4, 6, 5), 3, k3, s1, bias=False)
    case("dense_k3_3to1", (1, 3, 5, 4, 6), 1, k3, s1)
    case("dense_k3_32to32", (1, 32, 4, 4, 6), 32, k3, s1)
    case("dense_k3_33to40", (1, 33, 4, 4, 4), 40, k3, s1)
    case("dense_k3_5to40", (1, 5, 4, 5, 4), 40, k3, s1)
    case("dense_k3_one_voxel", (2, 3, 1, 1, 1), 5, k3, s1)
    case("dense_k3_s2_3to5", (2, 3, 8, 6, 4), 5, k3, s2)
    case("dense_k3_s2_odd", (1, 3, 7, 5, 9), 5, k3, s2)
    case("dense_k3_s2_32to33", (1, 32, 4, 4, 4), 33, k3, s2)
    case("dense_k133_3to5", (2, 3, 3, 6, 5), 5, k133, s1)
    case("dense_k133_s122_5to3", (1, 5, 4, 6, 8), 3, k133, s122)
    case("dense_k3_s122_3to5", (1, 3, 4, 6, 8), 5, k3, s122)
    case("dense_k311_s211", (1, 3, 6, 4, 5), 5, k311, s211)
    case("dense_k313", (1, 3, 4, 5, 4), 3, k313, s1)
    case("dense_k1_5to33", (2, 5, 3, 4, 5), 33, k1, s1)
    case("dense_k1_33to1", (1, 33, 4, 4, 3), 1, k1, s1)
    case("dense_k1_40to32_nobias", (1, 40, 4, 4, 4), 32, k1, s1, bias=False)
    case("dense_k1_s2", (1, 3, 4, 6, 4), 5, k1, s2)
    # masked
    case("masked_k3_1to5", (2, 1, 8, 8, 8), 5, k3, s1, grid=(2, 2, 2), visible=[2, 3])
    case("masked_k3_3to5_edge2", (2, 3, 6, 6, 6), 5, k3, s1, grid=(3, 3, 3), visible=[9, 4])
    case("masked_k3_5to3_edge1", (2, 5, 4, 3, 4), 3, k3, s1, grid=(4, 3, 4), visible=[12, 31])
    case("masked_k3_32to32", (1, 32, 8, 4, 4), 32, k3, s1, grid=(4, 2, 2), visible=[5])
    case("masked_k3_33to40", (1, 33, 4, 4, 4), 40, k3, s1, grid=(2, 2, 2), visible=[3])
    case("masked_k3_one_visible", (1, 3, 6, 6, 6), 5, k3, s1, grid=(3, 3, 3), visible=[1])
    case("masked_k3_all_visible", (1, 3, 6, 4, 6), 5, k3, s1, grid=(3, 2, 3), visible=[18])
    case("masked_k3_oblong_cells", (2, 3, 4, 8, 6), 5, k3, s1, grid=(2, 2, 1), visible=[1, 2])
    case("masked_k3_nobias", (2, 5, 4, 4, 8), 5, k3, s1, bias=False, grid=(2, 2, 4), visible=[4, 6])
    case("masked_k3_s2_3to5", (2, 3, 8, 8, 8), 5, k3, s2, grid=(2, 2, 2), visible=[2, 4])
    case("masked_k3_s2_to_edge1", (2, 5, 4, 4, 6), 3, k3, s2, grid=(2, 2, 3), visible=[3, 6])
    case("masked_k3_s2_32to33", (1, 32, 4, 8, 4), 33, k3, s2, grid=(2, 4, 2), visible=[6])
    case("masked_k133_3to5", (2, 3, 4, 6, 6), 5, k133, s1, grid=(2, 3, 3), visible=[5, 9])
    case("masked_k133_s122", (2, 3, 4, 8, 8), 5, k133, s122, grid=(2, 2, 2), visible=[3, 2])
    case("masked_k3_s122", (2, 3, 4, 8, 4), 5, k3, s122, grid=(4, 4, 2), visible=[9, 12])
    case("masked_k1_5to33", (2, 5, 4, 4, 4), 33, k1, s1, grid=(2, 2, 2), visible=[3, 5])
    case("masked_k1_40to32_nobias", (1, 40, 4, 4, 4), 32, k1, s1, bias=False, grid=(2, 2, 2), visible=[4])
    # small integers: every backend must agree bit for bit
    case("integer_k3_5to3", (2, 5, 4, 6, 5), 3, k3, s1, integer=True)
    case("integer_k3_s2_3to5", (1, 3, 6, 8, 4), 5, k3, s2, integer=True)
    case("integer_masked_k3_5to7", (2, 5, 8, 4, 4), 7, k3, s1, grid=(4, 2, 2), visible=[6, 9], integer=True)
    case("integer_masked_k3_s2", (2, 3, 8, 8, 4), 5, k3, s2, grid=(2, 2, 1), visible=[1, 2], integer=True)
    case("integer_masked_k1", (1, 33, 4, 4, 4), 8, k1, s1, grid=(2, 2, 2), visible=[3], integer=True)


def conv_transpose3d(store: Store, draw: Source) -> None:
    """Kernel = stride, weight in (C_in, C_out, kd, kh, kw) order."""

    def case(name, shape, c_out, stride, bias=True, integer=False):
        sample = draw.integers if integer else draw.normal
        inputs = {"x": leaf(sample(*shape)), "weight": leaf(sample(shape[1], c_out, *stride))}
        if bias:
            inputs["bias"] = leaf(sample(c_out))
        y = F.conv_transpose3d(inputs["x"], inputs["weight"], inputs.get("bias"), stride)
        upstream = {"y": sample(*y.shape)}
        grads = backward(inputs, {"y": y}, upstream)
        attributes = {"kernel": list(stride), "stride": list(stride), "padding": [0, 0, 0]}
        store.add(Case("conv_transpose3d", name, attributes, inputs, {"y": y}, upstream, grads, exact=integer))

    case("k2_5to3", (2, 5, 3, 2, 4), 3, (2, 2, 2))
    case("k2_3to5_nobias", (1, 3, 2, 3, 3), 5, (2, 2, 2), bias=False)
    case("k2_1to1", (1, 1, 2, 2, 2), 1, (2, 2, 2))
    case("k2_33to17", (1, 33, 2, 3, 2), 17, (2, 2, 2))
    case("k2_32to16", (2, 32, 2, 2, 3), 16, (2, 2, 2))
    case("k2_40to32", (1, 40, 2, 2, 2), 32, (2, 2, 2))
    case("k122_5to3", (2, 5, 3, 2, 3), 3, (1, 2, 2))
    case("k122_33to32", (1, 33, 2, 2, 2), 32, (1, 2, 2))
    case("k211_3to5", (1, 3, 2, 3, 4), 5, (2, 1, 1))
    case("k343_3to2", (1, 3, 2, 2, 2), 2, (3, 4, 3))
    case("integer_k2_5to7", (2, 5, 2, 3, 2), 7, (2, 2, 2), integer=True)


def normalise(x, m, axes, gamma, beta, slope, running=None):
    """Statistics over visible voxels only; masked voxels come out as exactly 0."""
    if running is None:
        count = m.expand_as(x).sum(axes, keepdim=True)
        mean = (x * m).sum(axes, keepdim=True) / count
        var = ((x - mean).pow(2) * m).sum(axes, keepdim=True) / count
    else:
        mean, var = (r.reshape(1, -1, 1, 1, 1) for r in running)
        count = None
    y = (x - mean) / torch.sqrt(var + EPS)
    if gamma is not None:
        y = y * gamma.reshape(1, -1, 1, 1, 1) + beta.reshape(1, -1, 1, 1, 1)
    if slope != 1.0 and (y.detach().abs() + (1 - m)).min() < KINK:
        raise ValueError("a value lies on the kink of the activation: float32 may take the other side")
    return F.leaky_relu(y, slope) * m, mean, var, count


def masked_norm(store: Store, draw: Source) -> None:
    def case(name, kind, shape, grid=None, visible=None, affine=True, slope=1.0, momentum=None, training=True):
        mask = draw.mask(grid, visible) if grid else None
        c = shape[1]
        scale = draw.uniform(1, c, 1, 1, 1, low=0.3, high=3)
        inputs = {"x": leaf((draw.normal(*shape) * scale + 0.7).float().double())}
        if affine:
            inputs |= {"weight": leaf(draw.uniform(c, low=-1.5, high=1.5)), "bias": leaf(draw.normal(c))}
        m = mask.at(shape[2:]) if mask else torch.ones(shape[0], 1, *shape[2:], dtype=torch.float64)
        axes = (2, 3, 4) if kind == "instance" else (0, 2, 3, 4)
        running = None
        if momentum is not None:
            running = [draw.normal(c), draw.uniform(c, low=0.5, high=2)]
            inputs |= {"running_mean": running[0], "running_var": running[1]}
        gamma, beta = inputs.get("weight"), inputs.get("bias")
        y, mean, var, count = normalise(inputs["x"], m, axes, gamma, beta, slope, None if training else running)
        outputs = {"y": y}
        if momentum is not None and training:
            # as PyTorch: the running variance takes the unbiased estimate
            unbiased = var.reshape(-1) * count.reshape(-1) / (count.reshape(-1) - 1)
            outputs["running_mean"] = (1 - momentum) * running[0] + momentum * mean.reshape(-1)
            outputs["running_var"] = (1 - momentum) * running[1] + momentum * unbiased
        check_against_torch(kind, mask, inputs, outputs, slope, momentum, training)
        upstream = {"y": draw.normal(*shape)}
        attributes = {"kind": kind, "eps": EPS, "slope": slope, "training": training}
        if momentum is not None:
            attributes["momentum"] = momentum
        grads = backward(inputs, {"y": y}, upstream)
        store.add(Case("masked_norm", name, attributes, inputs, outputs, upstream, grads, mask))

    for kind in ("instance", "batch"):
        case(f"{kind}_dense", kind, (2, 5, 4, 3, 5))
        case(f"{kind}_dense_leaky", kind, (2, 3, 4, 5, 3), slope=SLOPE)
        case(f"{kind}_dense_plain", kind, (2, 5, 3, 4, 4), affine=False)
        case(f"{kind}_dense_33", kind, (1, 33, 4, 4, 4), slope=SLOPE)
        case(f"{kind}_masked", kind, (2, 5, 6, 6, 4), (3, 3, 2), [5, 5])
        case(f"{kind}_masked_leaky", kind, (3, 3, 4, 6, 4), (2, 3, 2), [1, 4, 9], slope=SLOPE)
        case(f"{kind}_masked_plain", kind, (2, 5, 4, 4, 8), (2, 1, 4), [2, 7], affine=False)
        case(f"{kind}_masked_32_leaky", kind, (2, 32, 4, 4, 4), (2, 2, 2), [2, 3], slope=SLOPE)
        case(f"{kind}_masked_edge1", kind, (2, 5, 3, 4, 3), (3, 4, 3), [7, 20], slope=SLOPE)
        case(f"{kind}_masked_all_visible", kind, (2, 3, 4, 4, 4), (2, 2, 2), [8, 8])
    batch = {"kind": "batch", "momentum": 0.1}
    case("batch_running_dense", shape=(2, 5, 4, 3, 4), **batch)
    case("batch_running_masked", shape=(2, 5, 4, 4, 4), grid=(2, 2, 2), visible=[3, 5], slope=SLOPE, **batch)
    case("batch_evaluation_dense", shape=(2, 5, 4, 3, 4), training=False, slope=SLOPE, **batch)
    masked = {"grid": (2, 2, 2), "visible": [3, 5]}
    case("batch_evaluation_masked", shape=(2, 5, 4, 4, 4), training=False, **masked, **batch)


def check_against_torch(kind, mask, inputs, outputs, slope, momentum, training) -> None:
    """Where PyTorch has the very operation, the formula above must equal it."""
    if mask is not None and not mask.flags.all():
        return
    x, gamma, beta = inputs["x"], inputs.get("weight"), inputs.get("bias")
    if kind == "instance":
        y = F.instance_norm(x, weight=gamma, bias=beta, eps=EPS)
    else:
        mean, var = (inputs[k].clone() if k in inputs else None for k in ("running_mean", "running_var"))
        y = F.batch_norm(x, mean, var, gamma, beta, training, momentum or 0.1, EPS)
        if momentum is not None and training:
            torch.testing.assert_close(mean, outputs["running_mean"].detach())
            torch.testing.assert_close(var, outputs["running_var"].detach())
    torch.testing.assert_close(F.leaky_relu(y, slope), outputs["y"])


def pointwise(store: Store, draw: Source) -> None:
    """leaky_relu, add and concat; masked voxels are 0 on both sides."""

    def case(op, name, inputs, function, attributes=None, mask=None):
        y = masked(function(*inputs.values()), mask)
        upstream = {"y": draw.normal(*y.shape)}
        store.add(Case(op, name, attributes or {}, inputs, {"y": y}, upstream,
                       backward(inputs, {"y": y}, upstream), mask))

    def inputs(*shapes):
        names = ["x"] if len(shapes) == 1 else [f"x{i}" for i in range(len(shapes))]
        return {k: leaf(draw.normal(*s)) for k, s in zip(names, shapes)}

    shape = (2, 5, 4, 6, 4)
    for slope in (0.01, 0.2, 0.0):
        case("leaky_relu", f"dense_{slope}", inputs(shape), lambda x, s=slope: F.leaky_relu(x, s), {"slope": slope})
    mask = draw.mask((2, 3, 2), [3, 6])
    case("leaky_relu", "masked", inputs(shape), lambda x: F.leaky_relu(x, SLOPE), {"slope": SLOPE}, mask)
    case("add", "dense", inputs(shape, shape), torch.add)
    case("add", "masked", inputs(shape, shape), torch.add, None, draw.mask((2, 3, 2), [2, 7]))
    join = lambda *xs: torch.cat(xs, 1)  # noqa: E731
    case("concat", "two", inputs((2, 5, 3, 4, 2), (2, 3, 3, 4, 2)), join)
    case("concat", "two_32_33", inputs((1, 32, 2, 3, 2), (1, 33, 2, 3, 2)), join)
    case("concat", "three", inputs((2, 1, 3, 2, 4), (2, 4, 3, 2, 4), (2, 2, 3, 2, 4)), join)


def avg_pool3d(store: Store, draw: Source) -> None:
    def case(name, shape, kernel, grid=None, visible=None):
        mask = draw.mask(grid, visible) if grid else None
        inputs = {"x": leaf(draw.normal(*shape))}
        y = masked(F.avg_pool3d(masked(inputs["x"], mask), kernel, kernel), mask)
        upstream = {"y": draw.normal(*y.shape)}
        grads = backward(inputs, {"y": y}, upstream)
        attributes = {"kernel": list(kernel), "stride": list(kernel)}
        store.add(Case("avg_pool3d", name, attributes, inputs, {"y": y}, upstream, grads, mask))

    case("dense_222", (2, 5, 4, 6, 8), (2, 2, 2))
    case("dense_122", (1, 3, 3, 6, 4), (1, 2, 2))
    case("dense_211_33", (1, 33, 4, 2, 3), (2, 1, 1))
    case("masked_222", (2, 5, 8, 4, 8), (2, 2, 2), (2, 1, 2), [1, 3])
    case("masked_222_to_edge1", (2, 3, 4, 6, 4), (2, 2, 2), (2, 3, 2), [4, 7])
    case("masked_122", (2, 3, 4, 8, 4), (1, 2, 2), (2, 2, 2), [2, 5])


def densify(store: Store, draw: Source) -> None:
    """y = m * x + (1 - m) * token (method.md section 4 b); the output is dense."""

    def case(name, shape, grid, visible):
        mask = draw.mask(grid, visible)
        inputs = {"x": leaf(draw.normal(*shape)), "token": leaf(draw.normal(1, shape[1], 1, 1, 1))}
        y = torch.where(mask.at(shape[2:]) > 0, inputs["x"], inputs["token"])
        upstream = {"y": draw.normal(*shape)}
        grads = backward(inputs, {"y": y}, upstream)
        store.add(Case("densify", name, {}, inputs, {"y": y}, upstream, grads, mask))

    case("edge2", (2, 5, 4, 6, 4), (2, 3, 2), [3, 8])
    case("edge1", (2, 3, 3, 4, 2), (3, 4, 2), [5, 6])
    case("oblong_33", (1, 33, 4, 4, 2), (2, 2, 2), [3])
    case("all_visible", (1, 3, 4, 4, 4), (2, 2, 2), [8])


def losses(store: Store, draw: Source) -> None:
    """masked_mse: mean over the masked voxels of the whole batch (method.md section 5)."""

    def case(op, name, shape, scale, mask=None):
        inputs = {"prediction": leaf(draw.normal(*shape)), "target": leaf(draw.normal(*shape))}
        squared = (inputs["prediction"] - inputs["target"]).pow(2)
        hidden = torch.ones_like(squared) if mask is None else (1 - mask.at(shape[2:])).expand_as(squared)
        outputs = {"loss": ((squared * hidden).sum() / hidden.sum()).reshape(1)}
        upstream = {"loss": torch.tensor([scale], dtype=torch.float64)}
        grads = backward(inputs, outputs, upstream)
        store.add(Case(op, name, {}, inputs, outputs, upstream, grads, mask))

    case("masked_mse", "edge4", (2, 1, 8, 8, 4), 1.0, draw.mask((2, 2, 1), [1, 2]))
    case("masked_mse", "edge2_scaled", (3, 1, 4, 6, 4), 0.375, draw.mask((2, 3, 2), [1, 4, 11]))
    case("masked_mse", "one_masked", (1, 1, 4, 4, 4), 1.0, draw.mask((2, 2, 2), [7]))
    case("masked_mse", "three_channels", (2, 3, 4, 4, 4), 1.0, draw.mask((2, 2, 2), [2, 5]))
    case("mse", "dense", (2, 3, 4, 3, 5), 1.0)
    case("mse", "scaled", (1, 1, 5, 4, 3), -2.5)


def dice_cross_entropy(store: Store, draw: Source) -> None:
    """Cross-entropy minus mean soft Dice (method.md section 7.4); labels below 0 are no labels and count nowhere."""

    def counted(labels, ignore):
        return (labels >= 0) if ignore is None else (labels >= 0) & (labels != ignore)

    def dice(p, g, counts, batch, smooth):
        axes = (0, 2, 3, 4) if batch else (2, 3, 4)
        intersection, sizes = (p * g * counts).sum(axes), ((p + g) * counts).sum(axes)
        return ((2 * intersection + smooth) / torch.clip(sizes + smooth, 1e-8)).mean()

    def exclusive(z, labels, counts, batch, smooth):
        classes = torch.where(counts, labels, torch.zeros_like(labels))[:, 0].long()
        entropy = F.cross_entropy(z, torch.where(counts[:, 0], classes, -100), ignore_index=-100)
        g = F.one_hot(classes, z.shape[1]).movedim(-1, 1).to(z)
        return entropy, dice(F.softmax(z, 1)[:, 1:], g[:, 1:], counts, batch, smooth)

    def by_region(z, labels, counts, batch, smooth, regions):
        g = torch.cat([torch.isin(labels, torch.tensor(r, dtype=labels.dtype)) for r in regions], 1).to(z)
        entropy = F.binary_cross_entropy_with_logits(z, g, reduction="none")[counts.expand_as(z)].mean()
        return entropy, dice(torch.sigmoid(z), g, counts, batch, smooth)

    def case(name, shape, low, high, regions=None, ignore=None, batch=False, smooth=1e-5, weights=(1.0, 1.0), up=1.0):
        inputs = {"logits": leaf(draw.normal(*shape, scale=3.0)),
                  "labels": draw.integers(shape[0], 1, *shape[2:], low=low, high=high)}
        args = (inputs["logits"], inputs["labels"], counted(inputs["labels"], ignore), batch, smooth)
        entropy, mean_dice = by_region(*args, regions) if regions else exclusive(*args)
        outputs = {"loss": (weights[1] * entropy - weights[0] * mean_dice).reshape(1)}
        upstream = {"loss": torch.tensor([up], dtype=torch.float64)}
        attributes = {"regions": regions, "ignore": ignore, "batch": batch, "smooth": smooth, "weights": list(weights)}
        store.add(Case("dice_cross_entropy", name, attributes, inputs, outputs, upstream,
                       backward(inputs, outputs, upstream)))

    case("two_classes", (2, 2, 5, 4, 3), 0, 1)
    case("four_classes_batch", (2, 4, 4, 5, 6), 0, 3, batch=True)
    case("ignore", (3, 3, 4, 4, 3), -1, 3, ignore=3, weights=(0.5, 2.0), up=-1.5)
    case("absent_class", (1, 5, 3, 4, 5), 0, 2, smooth=1.0)
    case("regions", (2, 3, 4, 3, 5), 0, 3, regions=[[1, 2, 3], [2, 3], [3]])
    case("regions_ignore_batch", (2, 2, 3, 4, 4), -1, 3, regions=[[1, 2], [2]], ignore=3, batch=True)


PARAMETER_SHAPES = {"weight": (5, 3, 3, 3, 3), "bias": (5,), "up": (5, 3, 2, 2, 2), "gamma": (7,)}


def grad_norm(store: Store, draw: Source) -> None:
    """Global L2 norm and the clipped gradients, g * min(1, clip / (norm + 1e-6)) as PyTorch does."""
    for name, scale, clip in (("above", 3.0, 12.0), ("below", 0.1, 12.0), ("small_clip", 1.0, 0.5)):
        inputs = {k: draw.normal(*s, scale=scale) for k, s in PARAMETER_SHAPES.items()}
        params = [torch.zeros_like(t) for t in inputs.values()]
        for p, g in zip(params, inputs.values()):
            p.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_(params, clip)
        outputs = {"norm": norm.reshape(1), **{k: p.grad for k, p in zip(inputs, params)}}
        store.add(Case("grad_norm", name, {"clip": clip, "eps": 1e-6}, inputs, outputs))


def sgd(store: Store, draw: Source) -> None:
    """Inputs: start values and `<name>.grad.<step>`; outputs: `<name>.<step>`, `<name>.momentum.<step>`, norms."""
    recipes = {
        "pretraining": {"momentum": 0.99, "nesterov": True, "weight_decay": 3e-5, "clip": 12.0},
        "no_clip": {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-2, "clip": None},
        "plain": {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "clip": None},
        "heavy_ball": {"momentum": 0.9, "nesterov": False, "weight_decay": 1e-3, "clip": 5.0},
    }
    rates = [1e-2 * (1 - e / 6) ** 0.9 for e in range(6)]
    for name, recipe in recipes.items():
        params = {k: draw.normal(*s) for k, s in PARAMETER_SHAPES.items()}
        inputs = {k: p.clone() for k, p in params.items()}
        outputs: dict = {}
        options = {k: v for k, v in recipe.items() if k != "clip"}
        optimizer = torch.optim.SGD(params.values(), lr=rates[0], **options)
        for step, rate in enumerate(rates):
            # alternate: gradients clearly above and below the clipping norm
            scale = 2.0 if step % 2 == 0 else 0.1
            for k, p in params.items():
                p.grad = draw.normal(*p.shape, scale=scale)
                inputs[f"{k}.grad.{step}"] = p.grad.clone()
            if recipe["clip"] is not None:
                outputs[f"norm.{step}"] = torch.nn.utils.clip_grad_norm_(params.values(), recipe["clip"]).reshape(1)
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
            for k, p in params.items():
                outputs[f"{k}.{step}"] = p.clone()
                buffer = optimizer.state[p].get("momentum_buffer")
                if buffer is not None:
                    outputs[f"{k}.momentum.{step}"] = buffer.clone()
        attributes = {**recipe, "learning_rates": rates, "parameters": list(PARAMETER_SHAPES)}
        store.add(Case("sgd", name, attributes, inputs, outputs))


GROUPS = (conv3d, conv_transpose3d, masked_norm, pointwise, avg_pool3d, densify, losses, grad_norm, sgd,
          dice_cross_entropy)


def write(folder, versions: dict) -> int:
    store = Store(folder)
    for index, group in enumerate(GROUPS):
        group(store, Source(1000 + index))  # own seed each: a new case in one op leaves the others alone
    return store.write({
        "format": "voxelspark-golden-1",
        "versions": versions,
        "precision": "computed in float64 from float32 inputs, rounded once to float32",
        "layout": "(N, C, D, H, W) row-major; mask strings: samples * grid cells in C order, 1 = visible",
        "masked": "masked voxels of outputs and of input gradients are 0; upstream values there do not count",
    })
