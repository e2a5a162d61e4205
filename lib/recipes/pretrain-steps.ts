import { BlockMask } from "../block-mask";
import type { SampledMask } from "../masking";
import type { S3D } from "../models/s3d";
import { maskedMse } from "../ops/masked-mse";
import type { SGD } from "../optim/sgd";
import type { Plan } from "../plans/plan";
import { scope } from "../scope";
import type { DeviceName, Tensor } from "../tensor";
import { MovingMasks } from "./moving-masks";
import { type StepResult, StepRunner } from "./step-runner";

/** `pretrainStep` for one step after another, as CUDA graphs if the plan says so. */
export class PretrainSteps implements Disposable {
  private readonly masks = new MovingMasks();
  readonly runner: StepRunner<"x">;

  constructor(
    private readonly model: S3D,
    plan: Pick<Plan, "batch" | "network" | "patch" | "cudaGraph">,
    device: DeviceName,
  ) {
    const shape = [plan.batch, plan.network.inChannels, ...plan.patch];
    this.runner = new StepRunner({ x: shape }, device, plan.cudaGraph && device === "cuda");
  }

  /** @param x uploaded by the runner, and freed here */
  step(optimizer: SGD, x: Tensor, sampled: SampledMask, learningRate: number): StepResult {
    const { model, runner } = this;
    try {
      return scope(() => {
        const { mask, kind } = runner.repeated
          ? this.masks.show(sampled)
          : { mask: new BlockMask(sampled), kind: "" };
        return runner.run(optimizer, learningRate, kind, () => maskedMse(model.forward(x, mask), x, mask));
      });
    } finally {
      runner.free({ x });
    }
  }

  dispose(): void {
    this.runner.dispose();
    this.masks.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
