import { featureType } from "../device";
import { ResEncUNet } from "../models/resenc-unet";
import { Initializer } from "../nn/init";
import { LossScale } from "../optim/loss-scale";
import { SGD } from "../optim/sgd";
import type { FinetunePlan, ParameterGroup } from "../plans/finetune";
import { trainedGroups } from "../plans/finetune-stages";
import type { DeviceName, Tensor } from "../tensor";

/**
 * The segmentation network of a plan: a dense ResEnc U-Net with one output channel a class or region, initialised as
 * nnU-Net does (method.md §1.4): He-normal, and residual blocks that start as their skip.
 * @throws DeviceError when the device does not have the precision
 */
export function buildSegmenter(
  plan: FinetunePlan,
  device: DeviceName,
  precision = plan.precision,
): ResEncUNet {
  const dtype = featureType(precision, device);
  const init = new Initializer(plan.seed, device, "float32", "he");
  try {
    const { network, winograd, fusion } = plan;
    const model = new ResEncUNet(init, { ...network, winograd, fusion, dtype });
    for (const [name, t] of model.state())
      if (/\.conv2\.norm\.weight$/.test(name)) t.set(new Float32Array(t.size));
    return model;
  } catch (error) {
    init.dispose();
    throw error;
  }
}

/** Which part of the network a tensor of its state dict belongs to. */
export function groupOf(name: string): ParameterGroup | "none" {
  if (name.startsWith("encoder.")) return "encoder";
  if (name.startsWith("decoder.seg_layers.")) return "heads";
  return name.startsWith("decoder.") ? "decoder" : "none";
}

/** A network in training: what trains, and the momenta of it. */
export class Tuner implements Disposable {
  optimizer: SGD;
  /** Of fp16; stays when the optimiser changes. */
  readonly lossScale: LossScale | undefined;
  private readonly parameters: ReadonlyMap<string, Tensor>;
  private trained = "";

  /** @param step steps already done; the momenta are those of the last one */
  constructor(
    private readonly plan: FinetunePlan,
    readonly model: ResEncUNet,
    public step = 0,
  ) {
    this.parameters = model.parameters();
    this.optimizer = new SGD([]);
    this.lossScale = plan.precision === "fp16" ? new LossScale() : undefined;
    this.enterStage(Math.max(step - 1, 0));
  }

  /** Values of the whole network, frozen ones included. */
  get parameterCount(): number {
    return [...this.parameters.values()].reduce((count, t) => count + t.size, 0);
  }

  /**
   * Makes the network train what the schedule trains at a step. What is frozen needs no gradient, so that nothing of it
   * is recorded; its batch norms keep their statistics. New momenta where the trained set changes (as upstream's new
   * optimiser there), the old ones where only the rate does.
   */
  enterStage(step: number): void {
    const groups = trainedGroups(this.plan, step);
    const { encoder, decoder } = this.model.parts;
    encoder.train(groups.includes("encoder"));
    decoder.train(groups.includes("decoder"));
    if (this.trained === groups.join()) return;
    const trains = (name: string) => groups.includes(groupOf(name) as ParameterGroup);
    for (const [name, t] of this.parameters) t.requiresGrad = trains(name);
    const { momentum, nesterov, weightDecay, clip } = this.plan.optimizer;
    const settings = { momentum, nesterov, weightDecay, clip: clip ?? 0, lossScale: this.lossScale };
    this.optimizer.dispose();
    this.optimizer = new SGD(
      [...this.parameters].filter(([name]) => trains(name)),
      settings,
    );
    this.trained = groups.join();
  }

  /** Frees the network and its momenta. */
  dispose(): void {
    this.optimizer.dispose();
    this.model.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
