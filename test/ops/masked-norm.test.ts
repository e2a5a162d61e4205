import { maskedNorm, type Tensor } from "../../lib";
import { checkGolden } from "../golden/check";

checkGolden(
  "masked_norm",
  (
    { x, weight, bias, running_mean, running_var },
    { attributes: { kind, eps, slope, training, momentum } },
  ) => {
    const running = running_mean &&
      running_var && { mean: running_mean, variance: running_var, momentum: momentum as number };
    const y = maskedNorm(x as Tensor, weight, bias, { kind, eps, slope, training, running });
    return { y, ...(running && { running_mean: running.mean, running_var: running.variance }) };
  },
  { masked: ["x"], constants: ["running_mean", "running_var"], tolerance: 5e-6 },
);
