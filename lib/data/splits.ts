/**
 * Which cases of a labelled set train and which validate: nnU-Net's five folds, or splits_final.json (method.md §7.6).
 * The folds are those of scikit-learn's KFold(5, shuffle=True, random_state=12345) over the sorted case ids, drawn by
 * NumPy's legacy generator, so that results of a fold compare across both programs.
 */
import { DataError, FormatError } from "../errors";
import { readFileBounded, writeJsonAtomic } from "../files";
import { JsonError, parseJson } from "../json";
import { byId, refuse } from "./dataset-json";

/** Ids, sorted as Python sorts them. */
export interface Fold {
  readonly training: readonly string[];
  readonly validation: readonly string[];
  /** What a user should know about it. */
  readonly warning?: string;
}

const FOLDS = 5;
const SEED = 12345;
const MAX_JSON = 64 * 2 ** 20;

/** Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998), seeded and used as numpy.random.RandomState does. */
export class RandomState {
  private readonly state = new Uint32Array(624);
  private at = 624;

  constructor(seed: number) {
    this.state[0] = seed;
    for (let i = 1; i < 624; i++) {
      const before = this.state[i - 1]!;
      this.state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  private twist(): void {
    const s = this.state;
    for (let i = 0; i < 624; i++) {
      const y = (s[i]! & 0x80000000) | (s[(i + 1) % 624]! & 0x7fffffff);
      s[i] = s[(i + 397) % 624]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }

  uint32(): number {
    if (this.at === 624) this.twist();
    let y = this.state[this.at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Uniform in 0 … most: masked bits, drawn again while they exceed it. */
  private upTo(most: number): number {
    const mask = most === 0 ? 0 : 0xffffffff >>> Math.clz32(most);
    for (;;) {
      const value = (this.uint32() & mask) >>> 0;
      if (value <= most) return value;
    }
  }

  /** 0 … n−1 in random order. */
  permutation(n: number): number[] {
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.upTo(i);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}

function partition(ids: readonly string[], held: ReadonlySet<number>): Fold {
  return {
    training: ids.filter((_, i) => !held.has(i)),
    validation: ids.filter((_, i) => held.has(i)),
  };
}

/** nnU-Net's five folds of these cases. Throws DataError for fewer than five. */
export function kFolds(cases: readonly string[]): Fold[] {
  if (cases.length < FOLDS)
    throw new DataError(
      "ERR_VOXELSPARK_DATA",
      `${FOLDS} folds need at least ${FOLDS} cases, found ${cases.length}; state the folds in splits_final.json, or train ` +
        `on all cases with fold "all".`,
    );
  const ids = [...cases].sort(byId);
  const order = new RandomState(SEED).permutation(ids.length);
  let first = 0;
  return Array.from({ length: FOLDS }, (_, fold) => {
    const size = Math.floor(ids.length / FOLDS) + (fold < ids.length % FOLDS ? 1 : 0);
    const held = new Set(order.slice(first, first + size));
    first += size;
    return partition(ids, held);
  });
}

/** What nnU-Net takes for a fold beyond those that are stated: a random 80 % of the cases train. */
export function randomFold(cases: readonly string[], fold: number): Fold {
  const ids = [...cases].sort(byId);
  const order = new RandomState(SEED + fold).permutation(ids.length);
  return partition(ids, new Set(order.slice(Math.trunc(ids.length * 0.8))));
}

const isIds = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((id) => typeof id === "string");

/** Reads nnU-Net's splits_final.json. Throws FormatError. */
export async function readSplits(path: string): Promise<Fold[]> {
  const fail = (sentence: string): never => {
    throw new FormatError("ERR_VOXELSPARK_FORMAT", `${path} ${sentence}.`);
  };
  let json: unknown;
  try {
    json = parseJson(await readFileBounded(path, MAX_JSON));
  } catch (error) {
    if (error instanceof JsonError) return fail(`is ${error.message}`);
    throw error;
  }
  if (!Array.isArray(json) || json.length === 0)
    return fail("must hold a list of folds, each {train: [case, …], val: [case, …]}");
  return json.map((entry, i) => {
    const { train, val } = (entry ?? {}) as Record<string, unknown>;
    if (!isIds(train) || !isIds(val))
      return fail(`must have lists of case ids as train and val of fold ${i}`);
    return { training: train, validation: val };
  });
}

/** Writes folds as nnU-Net does. */
export async function writeSplits(path: string, folds: readonly Fold[]): Promise<void> {
  await writeJsonAtomic(
    path,
    folds.map(({ training, validation }) => ({ train: training, val: validation })),
  );
}

/** Throws DataError naming every case of a fold that is unknown, listed twice or on both sides. */
function requireFold({ training, validation }: Fold, cases: readonly string[], source: string): void {
  const known = new Set(cases);
  const seen = new Map<string, string>();
  const faults: string[] = [];
  for (const [side, ids] of Object.entries({ train: training, val: validation }))
    for (const id of ids) {
      const before = seen.get(id);
      if (!known.has(id)) faults.push(`case ${id} of ${side} is not in the data set`);
      else if (before !== undefined)
        faults.push(`case ${id} is ${before === side ? `twice in ${side}` : "in train and in val"}`);
      seen.set(id, side);
    }
  if (training.length === 0) faults.push("train names no case");
  if (faults.length > 0) refuse(source, faults);
}

/**
 * The cases of a fold: of `splits`, or of five-fold cross-validation without; a number beyond those is a random 80/20
 * split; "all" trains on every case and validates on none.
 * @param source names the splits in messages
 * @throws DataError naming every case that does not fit
 */
export function foldOf(
  cases: readonly string[],
  fold: number | "all",
  splits?: readonly Fold[],
  source = "splits_final.json",
): Fold {
  if (fold === "all") return { training: [...cases].sort(byId), validation: [] };
  const folds = splits ?? kFolds(cases);
  const chosen = folds[fold];
  if (!chosen) {
    const warning = `Fold ${fold} was asked for, there are ${folds.length}: a random 80 % of the cases train.`;
    return { ...randomFold(cases, fold), warning };
  }
  requireFold(chosen, cases, `${source}, fold ${fold}`);
  return chosen;
}
