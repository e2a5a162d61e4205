/** What a copy and a matrix product reach here, through PyTorch: the yardsticks of everything else. */
import { Peer } from "../../peers/peer";
import { dry, type Part, peerDevice, python } from "../part";

export default async function ceilings(part: Part): Promise<void> {
  const size = dry ? ["--size", "256"] : [];
  const { peer: started, ready } = await Peer.start(python, "ceilings.py", ["--device", peerDevice, ...size]);
  using peer = started;
  const { torch, cudnn } = (ready.ready ?? {}) as Record<string, unknown>;
  part.fact("torch", torch);
  part.fact("cudnn", cudnn);
  part.fact("ceilings", await peer.ask({ cmd: "measure" }));
}
