/** A few steps, launched anew and as CUDA graphs, for who watches the process. */
import { planOf, train } from "./pretraining";

async function main(): Promise<void> {
  for (const cudaGraph of [false, true]) {
    const { curve } = await train(planOf({ precision: "fp16", cudaGraph }), { until: 4 });
    if (curve.length !== 4) throw new Error(`${curve.length} steps of 4`);
  }
}

void main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
