import { concat } from "../../lib";
import { checkGolden } from "../golden/check";
import { freeAfterEach } from "../lifetime";

freeAfterEach();

checkGolden("concat", (sources) => ({ y: concat(...Object.values(sources)) }), { tolerance: 0 });
