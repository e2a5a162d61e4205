import { ArgumentTypeError, ShapeError } from "./errors";
import { launch } from "./launch";
import { keep, scope } from "./scope";
import { full, type Tensor } from "./tensor";

/**
 * Gradients of an op's inputs from the gradients of its outputs; undefined = none needed or the output was unused.
 * `done` gives back a saved tensor that the rest of the rule does not read, so that a gradient can take its memory.
 */
export type BackwardRule = (
  outputGradients: (Tensor | undefined)[],
  done: (saved: Tensor) => void,
) => (Tensor | undefined)[];

interface Node {
  inputs: (Tensor | undefined)[];
  outputs: Tensor[];
  saved: Tensor[];
  backward: BackwardRule;
}

let recording: Tape | undefined;

/**
 * Tells the recording tape, if any, how to go back through an op. Called by the op wrappers.
 * @param saved tensors that the rule reads; kept alive until it has run
 */
export function record(
  inputs: (Tensor | undefined)[],
  outputs: Tensor[],
  saved: Tensor[],
  backward: BackwardRule,
): void {
  if (!recording || !inputs.some((t) => t?.requiresGrad)) return;
  for (const t of outputs) t.requiresGrad = true;
  recording.push({ inputs, outputs, saved, backward });
}

/**
 * An array of what was done, popped in reverse by `backward`. Execution order is a topological order, so there is
 * nothing to sort; each node's saved tensors are freed as soon as its rule has run.
 */
export class Tape implements Disposable {
  private nodes: Node[] = [];

  /**
   * Runs a synchronous function and records the ops on tensors that require gradients. When it throws, the tape is
   * emptied: what it held for a way back that will not be gone is freed.
   * @throws ArgumentTypeError when body returns a Promise, or another tape is recording
   */
  record<T>(body: () => T): T {
    if (recording) throw new ArgumentTypeError("a tape is already recording; tapes do not nest");
    recording = this;
    try {
      const result = body();
      if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function")
        throw new ArgumentTypeError("record() takes a synchronous function; await outside of it");
      return result;
    } catch (error) {
      this.dispose();
      throw error;
    } finally {
      recording = undefined;
    }
  }

  /** @internal */
  push(node: Node): void {
    for (const t of node.saved) t.retain();
    this.nodes.push(node);
  }

  /**
   * Leaves d loss / d leaf in `.grad` of every leaf that requires gradients, adding to what is there.
   * The tape is empty afterwards.
   * @param loss one element, unless `gradient` (of its shape) is given
   * @throws ShapeError; ArgumentTypeError when the tape did not record how the loss was made
   */
  backward(loss: Tensor, gradient?: Tensor): void {
    if (!gradient && loss.size !== 1)
      throw new ShapeError(
        "ERR_VOXELSPARK_SHAPE",
        `backward() needs a scalar or a gradient; the loss has shape (${loss.shape.join(", ")})`,
      );
    const made = new Set<Tensor>(this.nodes.flatMap((n) => n.outputs));
    if (!made.has(loss))
      throw new ArgumentTypeError(
        "backward() of a tensor that this tape has not recorded: make it in tape.record(), from a tensor with " +
          "requiresGrad; after backward() a tape is empty",
      );
    const gradients = new Map<Tensor, Tensor>();
    try {
      const { shape, device, dtype, mask } = loss;
      gradients.set(loss, gradient ?? keep(full(shape, 1, { device, dtype, mask })));
      gradient?.retain();
      for (let node = this.nodes.pop(); node; node = this.nodes.pop()) {
        try {
          backwardThrough(node, gradients, made);
        } finally {
          for (const t of node.saved) t.release();
        }
      }
    } finally {
      for (const g of gradients.values()) g.release();
      this.dispose();
    }
  }

  /** Forgets what was recorded and frees what was saved for the way back. */
  dispose(): void {
    for (const node of this.nodes) for (const t of node.saved) t.release();
    this.nodes = [];
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Runs one rule and hands its results to the inputs' gradients. Every use of a gradient holds a reference of its own. */
function backwardThrough(node: Node, gradients: Map<Tensor, Tensor>, made: Set<Tensor>): void {
  const incoming = node.outputs.map((t) => gradients.get(t));
  if (!incoming.some((g) => g)) return;
  const done = (t: Tensor) => {
    const at = node.saved.indexOf(t);
    if (at >= 0) node.saved.splice(at, 1)[0]?.release();
  };
  const outgoing = scope(() => node.backward(incoming, done));
  node.inputs.forEach((input, i) => {
    const g = outgoing[i];
    if (g && input?.requiresGrad) accumulate(input, g, made.has(input) ? gradients : undefined);
  });
  for (const g of new Set(outgoing)) if (g && !incoming.includes(g)) keep(g).dispose();
  for (const t of node.outputs) {
    gradients.get(t)?.release();
    gradients.delete(t);
  }
}

/** Adds g to the gradient of an intermediate (in `gradients`) or of a leaf (in `.grad`). */
function accumulate(input: Tensor, g: Tensor, gradients: Map<Tensor, Tensor> | undefined): void {
  const before = gradients ? gradients.get(input) : input.grad;
  if (before?.isExclusive) {
    launch("accumulate", [before, g], {});
    before.leave(undefined);
    return;
  }
  const sum = before ? keep(launch("add_forward", [before, g], {})[0] as Tensor) : g;
  if (!before) g.retain();
  if (gradients) {
    before?.release();
    gradients.set(input, sum);
  } else {
    input.grad = sum;
    sum.release();
  }
}
