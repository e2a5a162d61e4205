/**
 * A PyTorch process that answers one JSON line with one JSON line, so that ours and theirs can be measured in turns
 * within one run. Found through `--peer <python>` or VOXELSPARK_PEER_PYTHON; benchmarks run without it and say so.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Contestant } from "../harness";

/** A Python that has PyTorch, or undefined. */
export function findPeerPython(given?: string): string | undefined {
  const candidate = given ?? process.env.VOXELSPARK_PEER_PYTHON;
  if (!candidate) return undefined;
  const found = spawnSync(candidate, ["-c", "import torch"], { stdio: "ignore" }).status === 0;
  if (!found) throw new Error(`the peer ${candidate} cannot import torch`);
  return candidate;
}

type Answer = Record<string, unknown>;

export class Peer {
  private readonly waiting: { resolve: (a: Answer) => void; reject: (e: Error) => void }[] = [];
  private stderr = "";
  private ended: Error | undefined;

  private constructor(private readonly process: ChildProcessWithoutNullStreams) {
    createInterface({ input: process.stdout }).on("line", (line) => {
      const answer = JSON.parse(line) as Answer;
      if (answer.error) this.waiting.shift()?.reject(new Error(`the peer says: ${answer.error}`));
      else this.waiting.shift()?.resolve(answer);
    });
    process.stderr.on("data", (text) => {
      this.stderr += text;
    });
    process.on("error", ({ message }) => {
      this.stderr += message; // "close" follows
    });
    // Not "exit", which may come before the last lines.
    process.on("close", (code) => {
      const said = this.stderr.trim().split("\n").slice(-3).join("\n");
      this.ended = new Error(`the peer exited with ${code}: ${said}`);
      for (const w of this.waiting.splice(0)) w.reject(this.ended);
    });
    process.stdin.on("error", () => {}); // of one that has ended: "close" tells
  }

  /** Starts bench/peers/<script> and waits for its first line, which describes it. */
  static async start(
    python: string,
    script: string,
    args: readonly string[],
  ): Promise<{ peer: Peer; ready: Answer }> {
    const peer = new Peer(spawn(python, [join(__dirname, script), ...args]));
    return { peer, ready: await peer.answer() };
  }

  ask(message: Answer): Promise<Answer> {
    const answer = this.answer();
    this.process.stdin.write(`${JSON.stringify(message)}\n`);
    return answer;
  }

  stop(): void {
    this.process.kill();
  }

  private answer(): Promise<Answer> {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }
}

/** PyTorch as it comes, and with malloc told to keep big buffers and each layer in its faster memory layout. */
const peers = {
  A: { malloc: "default", layouts: ["contiguous"] },
  B: { malloc: "tuned", layouts: ["contiguous", "channels_last"] },
} as const;

/** Single layers in both PyTorch processes. */
export class LayerPeers {
  private constructor(private readonly peers: ReadonlyMap<"A" | "B", Peer>) {}

  /** None of them where no Python with PyTorch is named. */
  static async start({ peer, threads }: { peer: string | undefined; threads: number }): Promise<LayerPeers> {
    const python = findPeerPython(peer);
    const started = new Map<"A" | "B", Peer>();
    for (const name of python ? (["A", "B"] as const) : []) {
      const args = ["--threads", `${threads}`, "--malloc", peers[name].malloc];
      started.set(name, (await Peer.start(python as string, "ops.py", args)).peer);
    }
    return new LayerPeers(started);
  }

  /** What to measure beside ours; `message` names op, pass and shape, see ops.py. */
  async contestants(message: Answer): Promise<Contestant[]> {
    const found: Contestant[] = [];
    for (const [name, peer] of this.peers) {
      const ask = async (layout: string) =>
        (await peer.ask({ cmd: "run", ...message, layout, repeats: 1 })).seconds as number;
      const tried: [string, number][] = [];
      for (const layout of peers[name].layouts) tried.push([layout, await ask(layout)]);
      const [best] = tried.sort((a, b) => a[1] - b[1])[0]!;
      found.push({ name: `PyTorch ${name}, ${best}`, peer: name, run: () => ask(best) });
    }
    return found;
  }

  stop(): void {
    for (const peer of this.peers.values()) peer.stop();
  }
}
