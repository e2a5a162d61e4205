import { leakyRelu, type Tensor } from "../../lib";
import { checkGolden } from "../golden/check";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

checkGolden("leaky_relu", ({ x }, c) => ({ y: leakyRelu(x as Tensor, c.attributes.slope) }), {
  masked: ["x"],
});
