import { maskedMse, type Tensor } from "../../lib";
import { checkGolden } from "../golden/check";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

for (const op of ["masked_mse", "mse"])
  checkGolden(op, ({ prediction, target }, _, mask) => ({
    loss: maskedMse(prediction as Tensor, target as Tensor, mask),
  }));
