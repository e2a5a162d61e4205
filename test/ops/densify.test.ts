import { densify, type Tensor } from "../../lib";
import { checkGolden } from "../golden/check";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

checkGolden("densify", ({ x, token }) => ({ y: densify(x as Tensor, token) }), { masked: ["x"] });
