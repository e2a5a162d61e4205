import { avgPool3d, type Tensor } from "../../lib";
import { checkGolden } from "../golden/check";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

checkGolden("avg_pool3d", ({ x }, c) => ({ y: avgPool3d(x as Tensor, c.attributes.kernel) }), {
  masked: ["x"],
});
