/** Rules between the fields of a plan. Each returns sentences that name the nearest values allowed. */
import { ratioRange } from "../masking";
import type { Triple } from "../triple";
import type { Plan } from "./schema";

/** What every plan says of its network. */
type NetworkPlan = Pick<Plan, "network" | "patch">;
const AXES = [0, 1, 2] as const;

/** Every rule that the plan breaks, as one sentence each; empty for a valid plan. */
export function brokenRules(plan: Plan): string[] {
  const shape = brokenShape(plan);
  if (shape.length > 0) return shape; // the rules below index by stage
  return [
    ...precision(plan),
    ...channels(plan),
    ...patchSize(plan),
    ...maskBlock(plan),
    ...maskRatio(plan),
    ...training(plan),
    ...graphs(plan),
  ];
}

/** Rules of the network's lists; those that index by stage hold only where these do. */
export function brokenShape(plan: NetworkPlan): string[] {
  return [...stageLists(plan), ...kernelsAndStrides(plan)];
}

/** Product of the strides up to and including each stage. */
export function cumulativeStrides(strides: readonly Triple[]): Triple[] {
  const product: [number, number, number] = [1, 1, 1];
  return strides.map((stride) => {
    for (const axis of AXES) product[axis] *= stride[axis];
    return [...product];
  });
}

function stageLists({ network }: NetworkPlan): string[] {
  const stages = network.features.length;
  const wanted = { blocks: stages, kernels: stages, strides: stages };
  const broken = Object.entries(wanted)
    .filter(([key, count]) => network[key as keyof typeof wanted].length !== count)
    .map(
      ([key, count]) =>
        `network.${key} must have ${count} entries, one a stage as network.features has, ` +
        `found ${network[key as keyof typeof wanted].length}.`,
    );
  if (network.decoder.convs.length !== stages - 1) {
    broken.push(
      `network.decoder.convs must have ${stages - 1} entries, one less than network.features, ` +
        `found ${network.decoder.convs.length}.`,
    );
  }
  return broken;
}

function kernelsAndStrides({ network }: NetworkPlan): string[] {
  const broken: string[] = [];
  network.kernels.forEach((kernel, stage) => {
    for (const axis of AXES) {
      const size = kernel[axis];
      if (size % 2 === 0) {
        broken.push(
          `network.kernels[${stage}][${axis}] must be odd, found ${size}; nearest: ${size - 1} and ${size + 1}.`,
        );
      }
    }
  });
  const first = network.strides[0]!;
  if (first.some((s) => s !== 1)) {
    broken.push(
      `network.strides[0] must be [1, 1, 1], since stage 0 keeps the resolution, found [${first.join(", ")}].`,
    );
  }
  return broken;
}

function channels({ network }: Plan): string[] {
  if (network.outChannels === network.inChannels) return [];
  return [
    `network.outChannels must equal network.inChannels (${network.inChannels}), since pre-training ` +
      `reconstructs its input, found ${network.outChannels}.`,
  ];
}

export function precision({ precision, device }: Pick<Plan, "precision" | "device">): string[] {
  if (precision === "fp32" || device !== "cpu") return [];
  return [
    `precision must be "fp32" where device is "cpu", since 16-bit feature maps exist on CUDA only, found ` +
      `${JSON.stringify(precision)}; or take device "cuda" or "auto".`,
  ];
}

// Such a stage makes a mask of its own out of where the blocks are, which a graph would repeat.
function graphs({ cudaGraph, mask }: Plan): string[] {
  if (!cudaGraph || mask.coarse !== "any") return [];
  return ['cudaGraph must be false where mask.coarse is "any", found true; or take mask.coarse "dense".'];
}

export function patchSize({ network, patch }: NetworkPlan): string[] {
  const total = cumulativeStrides(network.strides).at(-1)!;
  return AXES.filter((axis) => patch[axis] % total[axis] !== 0).map((axis) => {
    const low = Math.floor(patch[axis] / total[axis]) * total[axis];
    const near = low > 0 ? `${low} and ${low + total[axis]}` : `${total[axis]}`;
    return (
      `patch[${axis}] must be a multiple of the network's total stride ${total[axis]}, ` +
      `found ${patch[axis]}; nearest: ${near}.`
    );
  });
}

function maskBlock({ network, patch, mask }: Plan): string[] {
  const strides = cumulativeStrides(network.strides);
  const dividesPatch = (block: number) => patch.every((size) => size % block === 0);
  // A stage's voxel must hold whole blocks, or a block whole voxels: else a voxel would be half masked.
  const fitsStages = (block: number) =>
    strides.every((stride) => stride.every((s) => block % s === 0 || s % block === 0));
  const nearest = () =>
    near(mask.block, Math.max(...patch), (b) => dividesPatch(b) && fitsStages(b) && b < Math.max(...patch));
  if (!dividesPatch(mask.block)) {
    return [
      `mask.block must divide the patch [${patch.join(", ")}] on every axis, found ${mask.block}; nearest: ${nearest()}.`,
    ];
  }
  if (!fitsStages(mask.block)) {
    const total = strides.at(-1)!;
    return [
      `mask.block must be a multiple or a divisor of every stage's total stride (last: [${total.join(", ")}]), ` +
        `found ${mask.block}; nearest: ${nearest()}.`,
    ];
  }
  const coarse = strides.findIndex((stride) => stride.some((s) => s > mask.block));
  if (coarse >= 0 && mask.coarse === null) {
    return [
      `mask.coarse must be "dense" or "any", since a voxel of stage ${coarse} (total stride ` +
        `[${strides[coarse]!.join(", ")}]) is larger than a mask block of ${mask.block}, found null; ` +
        `or take mask.block ${Math.max(...strides.at(-1)!)} or a multiple of it.`,
    ];
  }
  return [];
}

function maskRatio({ patch, mask }: Plan): string[] {
  if (patch.some((size) => size % mask.block !== 0)) return [];
  const [low, high] = ratioRange(mask.ratio);
  const found = `found ${JSON.stringify(mask.ratio)}`;
  if (low > high) return [`mask.ratio must be [low, high] with low <= high, ${found}.`];
  const cells = patch.reduce((n, size) => n * (size / mask.block), 1);
  if (cells < 2) {
    return [
      `mask.block must leave at least 2 blocks in the patch [${patch.join(", ")}], found ${mask.block}, which leaves ${cells}.`,
    ];
  }
  if (Math.trunc(low * cells) < 1) {
    return [
      `mask.ratio must mask at least one of the patch's ${cells} blocks, ${found}; ` +
        `smallest ratio: ${(Math.ceil(1e4 / cells) / 1e4).toString()}.`,
    ];
  }
  return [];
}

function training({ optimizer, steps, validation, augmentation }: Plan): string[] {
  const broken: string[] = [];
  if (optimizer.warmupSteps >= steps) {
    broken.push(`optimizer.warmupSteps must be below steps (${steps}), found ${optimizer.warmupSteps}.`);
  }
  if (validation.minSubjects > validation.maxSubjects) {
    broken.push(
      `validation.minSubjects must not exceed validation.maxSubjects (${validation.maxSubjects}), found ${validation.minSubjects}.`,
    );
  }
  const { axes } = augmentation.mirroring;
  return [...broken, ...nesterov({ optimizer }), ...eachOnce("augmentation.mirroring.axes", axes)];
}

export function nesterov({
  optimizer,
}: {
  optimizer: Pick<Plan["optimizer"], "nesterov" | "momentum">;
}): string[] {
  if (!optimizer.nesterov || optimizer.momentum > 0) return [];
  return ["optimizer.nesterov must be false where optimizer.momentum is 0, found true."];
}

/** Of the axes to mirror in the field at `path`. */
export function eachOnce(path: string, axes: readonly number[]): string[] {
  if (new Set(axes).size === axes.length) return [];
  return [`${path} must name each axis once, found [${axes.join(", ")}].`];
}

/** The nearest values below and above `value` (up to `high`) that pass, as "a and b". */
function near(value: number, high: number, passes: (candidate: number) => boolean): string {
  const found: number[] = [];
  for (let below = Math.min(value - 1, high); below >= 1; below--) {
    if (passes(below)) {
      found.push(below);
      break;
    }
  }
  for (let above = value + 1; above <= high; above++) {
    if (passes(above)) {
      found.push(above);
      break;
    }
  }
  return found.length > 0 ? found.join(" and ") : "none";
}
