import { add, type Tensor } from "../../lib";
import { checkGolden } from "../golden/check";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

checkGolden("add", ({ x0, x1 }) => ({ y: add(x0 as Tensor, x1 as Tensor) }), { masked: ["x0", "x1"] });
