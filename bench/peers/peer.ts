/**
 * A PyTorch process that answers one JSON line with one JSON line, so that ours and theirs can be measured in turns
 * within one run. Found through `--peer <python>` or VOXELSPARK_PEER_PYTHON; benchmarks run without it and say so.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DataError } from "../../lib/errors";
import type { Contestant, PeerName } from "../harness";

/** A Python that has PyTorch, or undefined. */
export function findPeerPython(given?: string): string | undefined {
  const candidate = given ?? process.env.VOXELSPARK_PEER_PYTHON;
  if (!candidate) return undefined;
  const found = spawnSync(candidate, ["-c", "import torch"], { stdio: "ignore" }).status === 0;
  if (!found) throw new DataError("ERR_VOXELSPARK_DATA", `the peer ${candidate} cannot import torch`);
  return candidate;
}

type Answer = Record<string, unknown>;

/** Undefined for what else a library prints. */
function answerIn(line: string): Answer | undefined {
  try {
    const said = JSON.parse(line);
    return said && typeof said === "object" ? (said as Answer) : undefined;
  } catch {
    return undefined;
  }
}

export class Peer {
  private readonly waiting: { resolve: (a: Answer) => void; reject: (e: Error) => void }[] = [];
  private stderr = "";
  private ended: Error | undefined;

  private constructor(private readonly process: ChildProcessWithoutNullStreams) {
    createInterface({ input: process.stdout }).on("line", (line) => {
      const answer = answerIn(line);
      if (!answer) this.stderr += `${line}\n`;
      else if (answer.error) this.waiting.shift()?.reject(new Error(`the peer says: ${answer.error}`));
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
  [Symbol.dispose](): void {
    this.stop();
  }

  private answer(): Promise<Answer> {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }
}

/** Single layers in PyTorch, in a process as it comes and in one with malloc tuned. */
export class LayerPeers {
  private constructor(
    private readonly plain: Peer | undefined,
    private readonly tuned: Peer | undefined,
  ) {}

  /** None of them where no Python with PyTorch is named. */
  static async start({ peer, threads }: { peer: string | undefined; threads: number }): Promise<LayerPeers> {
    const python = findPeerPython(peer);
    if (!python) return new LayerPeers(undefined, undefined);
    const start = async (malloc: string) =>
      (await Peer.start(python, "ops.py", ["--threads", `${threads}`, "--malloc", malloc])).peer;
    return new LayerPeers(await start("default"), await start("tuned"));
  }

  /** What to measure beside ours; `message` names op, pass and shape, see ops.py. C is left out where it is B. */
  async contestants(message: Answer): Promise<Contestant[]> {
    const { plain, tuned } = this;
    if (!plain || !tuned) return [];
    const ask = async (peer: Peer, layout: string) =>
      (await peer.ask({ cmd: "run", ...message, layout, repeats: 1 })).seconds as number;
    const contestant = (peer: PeerName, process: Peer, layout: string): Contestant => ({
      name: `PyTorch ${peer}, ${layout}`,
      peer,
      run: () => ask(process, layout),
    });
    const found = [contestant("A", plain, "contiguous"), contestant("B", tuned, "contiguous")];
    if ((await ask(tuned, "channels_last")) < (await ask(tuned, "contiguous")))
      found.push(contestant("C", tuned, "channels_last"));
    return found;
  }

  stop(): void {
    this.plain?.stop();
    this.tuned?.stop();
  }
}
