/**
 * What a kernel's PTX says of the registers of its wgmma, on all paths, taken or not: which instructions use them while
 * products may be in flight, and which products they reach without a wgmma.fence in between (PTX ISA 9.7.15.7.1).
 */
interface Line {
  text: string;
  /** Accumulators and fragments, of wgmma.mma_async; those of them that it names, of any other. */
  registers: string[];
  next: number[];
}

/** What may be true before a line: groups committed since a register's last product, registers used since a fence. */
interface State {
  flying: Map<string, number>;
  used: Set<string>;
}

const named = (text: string) => text.match(/%\w+/g) ?? [];
const isProduct = (text: string) => text.includes("wgmma.mma_async");
const lists = (text: string) => [...text.matchAll(/\{([^{}]*)\}/g)].flatMap(([, list]) => named(list!));

/** Inline assembly with labels of its own is on one line, and uses no sums: it goes on at the next. */
function read(kernel: string): Line[] {
  const texts: string[] = [];
  const labels = new Map<string, number>();
  for (const raw of kernel.split("\n")) {
    const text = raw.replace(/\/\/.*/, "").trim();
    const label = /^(\$\w+):$/.exec(text)?.[1];
    if (label) labels.set(label, texts.length);
    else if (/^(@|\{ |[a-z])/.test(text)) texts.push(text);
  }
  const all = new Set(texts.filter(isProduct).flatMap(lists));
  return texts.map((text, k) => {
    const [, guard, to] = /^(@!?%\w+ )?\s*bra(?:\.uni)?\s+(\$\w+);$/.exec(text) ?? [];
    const own = isProduct(text) ? lists(text) : named(text).filter((name) => all.has(name));
    const jump = to === undefined ? [] : [labels.get(to)!];
    const next = text === "ret;" || (to && !guard) ? jump : [...jump, k + 1];
    return { text, registers: own, next: next.filter((n) => n < texts.length) };
  });
}

/** What holds behind a line, and what is wrong with it. */
function step({ text, registers }: Line, { flying, used }: State): State & { wrong?: string } {
  const wait = /wgmma\.wait_group\.sync\.aligned (\d+);/.exec(text)?.[1];
  if (wait) return { flying: new Map([...flying].filter(([, age]) => age <= Number(wait))), used };
  if (text.startsWith("wgmma.fence")) return { flying, used: new Set() };
  if (text.startsWith("wgmma.commit_group"))
    return { flying: new Map([...flying].map(([name, age]) => [name, age + 1])), used };
  if (isProduct(text)) {
    const unfenced = registers.find((name) => used.has(name));
    const wrong = unfenced && `${unfenced} reaches a product without a fence: ${text}`;
    return { flying: new Map([...flying, ...registers.map((name) => [name, 0] as const)]), used, wrong };
  }
  const busy = registers.find((name) => flying.has(name));
  const wrong = busy && `${busy} is used while it may be in flight: ${text}`;
  return { flying, used: registers.length ? new Set([...used, ...registers]) : used, wrong };
}

/** Adds what another path brings; whether that was new. */
function merge(into: State, { flying, used }: State): boolean {
  const before = into.used.size;
  for (const name of used) into.used.add(name);
  let news = into.used.size !== before;
  for (const [name, age] of flying) {
    if ((into.flying.get(name) ?? Number.POSITIVE_INFINITY) <= age) continue;
    into.flying.set(name, age);
    news = true;
  }
  return news;
}

/** Sentences, none if all is well. */
export function misusedRegisters(kernel: string): string[] {
  const lines = read(kernel);
  const before: (State | undefined)[] = [{ flying: new Map(), used: new Set() }];
  const found = new Set<string>();
  for (const work = [0]; work.length > 0; ) {
    const k = work.pop()!;
    const after = step(lines[k]!, before[k]!);
    if (after.wrong) found.add(after.wrong);
    for (const n of lines[k]!.next) {
      const known = before[n];
      if (!known) before[n] = { flying: new Map(after.flying), used: new Set(after.used) };
      if (!known || merge(known, after)) work.push(n);
    }
  }
  return [...found];
}
