/**
 * A PyTorch process that answers one JSON line with one JSON line, so that ours and theirs can be measured in turns
 * within one run. Found through `--peer <python>` or VOXELSPARK_PEER_PYTHON; benchmarks run without it and say so.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

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

  private constructor(private readonly process: ChildProcessWithoutNullStreams) {
    createInterface({ input: process.stdout }).on("line", (line) => {
      const answer = JSON.parse(line) as Answer;
      if (answer.error) this.waiting.shift()?.reject(new Error(`the peer says: ${answer.error}`));
      else this.waiting.shift()?.resolve(answer);
    });
    process.stderr.on("data", (text) => {
      this.stderr += text;
    });
    process.on("exit", (code) => {
      for (const w of this.waiting.splice(0))
        w.reject(new Error(`the peer exited with ${code}: ${this.stderr}`));
    });
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
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }
}
