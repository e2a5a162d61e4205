import type { Tensor } from "../tensor";

/** What a module is made of: parameters, buffers, modules, or lists and records of them. */
export type Part = Tensor | Module | readonly Part[] | { readonly [name: string]: Part } | undefined;

function isModule(part: Part): part is Module {
  return part instanceof Module;
}
function isTensor(part: Part): part is Tensor {
  return typeof (part as Tensor | undefined)?.requiresGrad === "boolean";
}

/**
 * A part of a network that owns parameters. `parts` names its children as the state dict does, so that
 * "encoder.stages.0.blocks.0.conv1.conv.weight" is a walk through records.
 */
export abstract class Module implements Disposable {
  abstract readonly parts: { readonly [name: string]: Part };

  /** Whether norms take and update batch statistics; `train(false)` switches to running ones. */
  training = true;

  /** Every parameter and buffer by its state-dict name, in order of definition. */
  state(): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    const walk = (part: Part, name: string): void => {
      if (part === undefined) return;
      if (isTensor(part)) found.set(name, part);
      else
        for (const [key, child] of Object.entries(isModule(part) ? part.parts : part))
          walk(child as Part, name ? `${name}.${key}` : key);
    };
    walk(this, "");
    return found;
  }

  /** What is trained: the tensors of `state()` that require gradients; one that several parts share once, by its first name. */
  parameters(): Map<string, Tensor> {
    const seen = new Set<Tensor>();
    return new Map(
      [...this.state()].filter(([, t]) => {
        if (!t.requiresGrad || seen.has(t)) return false;
        seen.add(t);
        return true;
      }),
    );
  }

  /** Number of trained values. */
  parameterCount(): number {
    let count = 0;
    for (const t of this.parameters().values()) count += t.size;
    return count;
  }

  /** Switches this module and all within it between training and evaluation. */
  train(mode: boolean): void {
    this.training = mode;
    const walk = (part: Part): void => {
      if (isModule(part)) part.train(mode);
      else if (part !== undefined && !isTensor(part))
        for (const child of Object.values(part)) walk(child as Part);
    };
    walk(this.parts);
  }

  /** Gives the gradients of all parameters back. */
  zeroGrad(): void {
    for (const t of this.state().values()) t.zeroGrad();
  }

  /** Frees every parameter and buffer. */
  dispose(): void {
    for (const t of this.state().values()) t.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
