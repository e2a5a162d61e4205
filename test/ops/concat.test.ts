import { concat } from "../../lib";
import { checkGolden } from "../golden/check";

checkGolden("concat", (sources) => ({ y: concat(...Object.values(sources)) }), { tolerance: 0 });
