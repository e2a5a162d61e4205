import { type Plan, planFromJson, resumePlan } from "../plans/plan";
import { type PatchSource, type PretrainState, type PretrainStep, pretrain } from "../recipes/pretrain";
import { buildS3D, buildSGD } from "../recipes/step";
import { validate } from "../recipes/validate";
import type { DeviceName } from "../tensor";
import { drawProgress } from "./progress-picture";
import {
  type DataSource,
  runTraining,
  stepLine,
  type Training,
  type TrainingEvent,
  type TrainingOptions,
  type TrainingRun,
} from "./training";

export interface RunSource extends PatchSource, DataSource {}

export type RunOptions = TrainingOptions<Plan, RunSource>;

type Validation = { type: "validation"; step: number; loss: number; baseline: number };
export type RunEvent = TrainingEvent<PretrainStep> | Validation;

type State = PretrainState & Disposable;

const pretraining: Training<Plan, State, RunSource, PretrainStep, Validation> = {
  planOf: ({ state, folder }) => planFromJson(state.plan, folder),
  resumePlan,
  build,
  parameters: ({ model }) => model.parameterCount(),
  steps: ({ plan, state, source, device }) => pretrain(plan, state, source, device),
  line: stepLine,
  remember: ({ optimizer: { lossScale } }) => (lossScale ? { lossScale: lossScale.state() } : {}),
  recall: ({ optimizer }, { lossScale }) => optimizer.lossScale?.load(lossScale),
  validate: validation,
  draw: drawProgress,
};

/**
 * Pre-training with everything around it: lock, plan, metrics, validation, checkpoints, resume.
 * A resumed run has the same bits as an uninterrupted one. However it ends, nothing stays open or alive.
 * @throws CheckpointError when the folder holds a run already, or none to resume; PlanError when the plan changed
 */
export function runPretraining(options: RunOptions): AsyncGenerator<RunEvent> {
  return runTraining(pretraining, options);
}

function build(plan: Plan, device: DeviceName, step: number): State {
  const model = buildS3D(plan, device);
  try {
    const optimizer = buildSGD(plan, model);
    const dispose = () => {
      optimizer.dispose();
      model.dispose();
    };
    return { model, optimizer, step, [Symbol.dispose]: dispose };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

async function* validation({
  log,
  plan,
  state,
  source,
  device,
}: TrainingRun<Plan, State, RunSource>): AsyncGenerator<Validation> {
  if (plan.validation.patches === 0) return;
  const { loss, baseline } = await validate(plan, state.model, source, device);
  await log.append({ step: state.step, validationLoss: loss, validationBaseline: baseline });
  yield { type: "validation", step: state.step, loss, baseline };
}
