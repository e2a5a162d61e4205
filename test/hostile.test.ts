/**
 * Calls that no honest program makes. Each ends as a typed error with a code, never as a crash, and leaves nothing
 * behind: the counters are as before and the addon goes on computing.
 */
import {
  BlockMask,
  conv3d,
  diceCrossEntropy,
  evaluateCase,
  foldedConv3d,
  full,
  gaussianAccumulate,
  gaussianNoise,
  leakyRelu,
  maskedMse,
  maskedNorm,
  PatchLoader,
  phantom,
  readNifti,
  readNiftiHeader,
  renderProgress,
  renderVolumes,
  resampleAffine,
  resetPeak,
  resize,
  SGD,
  scope,
  setMemoryLimit,
  setThreads,
  slidingWindow,
  stats,
  surfaceDice,
  Tape,
  tensor,
  writeNifti,
  zeros,
} from "../lib";
import { native } from "../lib/binding";
import { rng } from "../lib/random";
import { kernelIds } from "../lib/schema.gen";

// biome-ignore lint/suspicious/noExplicitAny: hostile values are of no type that the signatures know
type Any = any;

const codeOf = (call: () => unknown) => {
  try {
    call();
  } catch (error) {
    return (error as { code?: string }).code ?? `no code: ${error}`;
  }
  return "nothing was thrown";
};
const TYPE = "ERR_VOXELSPARK_TYPE";
const RANGE = "ERR_VOXELSPARK_RANGE";
const SHAPE = "ERR_VOXELSPARK_SHAPE";
const DISPOSED = "ERR_VOXELSPARK_DISPOSED";

function detached(): Float32Array {
  const values = new Float32Array(4);
  structuredClone(values.buffer, { transfer: [values.buffer] });
  return values;
}

function resized(from: number, to: number): Float32Array {
  const buffer = new (ArrayBuffer as Any)(from * 4, { maxByteLength: 64 });
  const values = new Float32Array(buffer);
  buffer.resize(to * 4);
  return values;
}

const live = () => ({ ...stats("cpu"), peakBytes: 0, cachedBytes: 0 });
let before: object;
beforeAll(() => setMemoryLimit(2 ** 26)); // so that a huge request is refused instead of exhausting the machine
afterAll(() => setMemoryLimit(0));
beforeEach(() => {
  before = live();
});
afterEach(() => expect(live()).toEqual(before));

test("tapes: what was not recorded, a second way back, an asynchronous body", async () => {
  using x = tensor([1], [1], { requiresGrad: true });
  using tape = new Tape();
  using unrecorded = leakyRelu(x);
  expect(codeOf(() => tape.backward(unrecorded))).toBe(TYPE);
  using loss = tape.record(() => leakyRelu(x));
  tape.backward(loss);
  x.zeroGrad();
  expect(codeOf(() => tape.backward(loss))).toBe(TYPE);
  expect(codeOf(() => tape.record(async () => 1))).toBe(TYPE);
});

test("what is no tensor is named as the input that it is", () => {
  for (const op of [conv3d, maskedMse] as Any[])
    expect(codeOf(() => op(new Float32Array(1), new Float32Array(1)))).toBe(TYPE);
  using x = zeros([1, 1, 1, 1, 2]);
  expect(codeOf(() => maskedNorm(x, undefined, undefined, { kind: "group" as Any }))).toBe(RANGE);
});

test("a scope around asynchronous work", () => {
  expect(codeOf(() => scope(async () => 1))).toBe(TYPE);
});

describe.each<[string, Any]>([
  ["null", null],
  ["a number", 1],
  ["a list", [1]],
])("options that are %s", (_name, options) => {
  const x: Any = undefined; // options are looked at first
  test.each<[string, () => unknown]>([
    ["BlockMask", () => new BlockMask(options)],
    ["PatchLoader", () => new PatchLoader(options)],
    ["SGD", () => new SGD([], options)],
    ["tensor", () => tensor([1], [1], options)],
    ["full", () => full([1], 1, options)],
    ["diceCrossEntropy", () => diceCrossEntropy(x, x, options)],
    ["evaluateCase", () => evaluateCase(x, x, options)],
    ["foldedConv3d", () => foldedConv3d({ offset: x, token: x }, x, undefined, options)],
    ["foldedConv3d of nothing", () => foldedConv3d(options, x)],
    ["gaussianAccumulate", () => gaussianAccumulate(x, x, x, options)],
    ["gaussianNoise", () => gaussianNoise(x, options)],
    ["maskedNorm", () => maskedNorm(x, x, x, options)],
    ["phantom", () => phantom(0, options)],
    ["readNifti", () => readNifti("head.nii", options)],
    ["readNiftiHeader", () => readNiftiHeader("head.nii", options)],
    ["renderProgress", () => renderProgress([], options)],
    ["renderVolumes", () => renderVolumes([], options)],
    ["resampleAffine", () => resampleAffine(x, [1, 1, 1], [], options)],
    ["resize", () => resize(x, [1, 1, 1], options)],
    ["slidingWindow", () => slidingWindow([], x, options).next()],
    ["surfaceDice", () => surfaceDice(x, x, [], options)],
    ["writeNifti", () => writeNifti("head.nii", options)],
  ])("%s", async (_op, call) => {
    await expect(async () => call()).rejects.toMatchObject({ name: "ArgumentTypeError", code: TYPE });
  });

  test("conv3d", () => {
    using map = zeros([1, 1, 1, 1, 1]);
    expect(codeOf(() => conv3d(map, map, undefined, options))).toBe(TYPE);
  });
});

describe("values of tensors", () => {
  test.each<[string, Any, Any, string]>([
    ["null", null, [1], TYPE],
    ["an object", {}, [1], TYPE],
    ["a string", "12", [2], TYPE],
    ["strings in an array", [1, "2"], [2], TYPE],
    ["holes", new Array(2), [2], TYPE],
    ["BigInts", new BigInt64Array(1), [1], TYPE],
    ["a DataView", new DataView(new ArrayBuffer(4)), [1], TYPE],
    ["an impostor", { [Symbol.toStringTag]: "Float32Array", length: 1 }, [1], TYPE],
    ["too few", [1, 2], [3], SHAPE],
    ["a detached buffer", detached(), [4], SHAPE],
    ["a shrunk buffer", resized(4, 2), [4], SHAPE],
    ["a shape that is none", [1], 1, TYPE],
    ["a shape of strings", [1], ["1"], TYPE],
    ["a shape of BigInts", [1], [1n], TYPE],
    ["six axes", [1], [1, 1, 1, 1, 1, 1], SHAPE],
    ["-0", [], [-0], SHAPE],
    ["a negative size", [1], [-1], SHAPE],
    ["half a size", [1], [0.5], RANGE],
    ["NaN", [1], [Number.NaN], RANGE],
    ["infinity", [1], [Number.POSITIVE_INFINITY], RANGE],
    ["2^53", [1], [2 ** 53], RANGE],
    ["a product beyond 64 bits", [1], [2 ** 31, 2 ** 31, 2 ** 31], SHAPE],
  ])("%s", (_name, data, shape, code) => {
    expect(codeOf(() => tensor(data, shape))).toBe(code);
  });

  test("options", () => {
    expect(codeOf(() => zeros([1], { dtype: "int8" as Any }))).toBe(RANGE);
    expect(codeOf(() => zeros([1], { dtype: "float64" }))).toBe(TYPE);
    expect(codeOf(() => zeros([1], { device: "tpu" as Any }))).toBe("ERR_VOXELSPARK_DEVICE");
    expect(codeOf(() => zeros([1], { mask: {} as Any }))).toBe(TYPE);
    expect(codeOf(() => zeros([1], { mask: { handle: 12345 } as Any }))).toBe(DISPOSED);
  });

  test("more memory than there may be", () => {
    expect(codeOf(() => zeros([2 ** 26]))).toBe("ERR_VOXELSPARK_OUT_OF_MEMORY");
  });

  test("shared, grown and offset buffers are read as they are", async () => {
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set([1, 2, 3, 4]);
    const grown = resized(2, 4);
    grown.set([1, 2, 3, 4]);
    const offset = Float32Array.of(0, 0, 1, 2, 3, 4, 0).subarray(2, 6);
    class Derived extends Float32Array {}
    for (const data of [shared, grown, offset, Derived.of(1, 2, 3, 4), Int8Array.of(1, 2, 3, 4)]) {
      using t = tensor(data as Float32Array, [4]);
      expect(Array.from(await t.data())).toEqual([1, 2, 3, 4]);
    }
  });

  test("changing shape or data after the call changes nothing", async () => {
    const shape = [2];
    const data = Float32Array.of(1, 2);
    using t = tensor(data, shape);
    shape[0] = 99;
    data.fill(7);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    expect(t.shape).toEqual([2]);
    expect(Array.from(await t.data())).toEqual([1, 2]);
  });
});

describe("disposal", () => {
  test("twice does nothing, use afterwards is an error", () => {
    const t = zeros([2]);
    t.dispose();
    t.dispose();
    expect(codeOf(() => t.data())).toBe(DISPOSED);
    expect(codeOf(() => t.set(new Float32Array(2)))).toBe(DISPOSED);
    expect(codeOf(() => leakyRelu(t))).toBe(DISPOSED);
    const mask = new BlockMask({ samples: 1, grid: [1, 1, 2], visible: Uint8Array.of(0, 1) });
    mask.dispose();
    mask.dispose();
    expect(codeOf(() => zeros([1, 1, 2, 2, 2], { mask }))).toBe(DISPOSED);
  });

  test("a tensor may go while it is read", async () => {
    const t = tensor([1, 2], [2]);
    const reading = t.data();
    t.dispose();
    using other = tensor([3, 4], [2]); // likely to get the same memory
    expect(Array.from(await reading)).toEqual([1, 2]);
    expect(Array.from(await other.data())).toEqual([3, 4]);
  });

  test("handles out of thin air", () => {
    for (const handle of [-1, 0.5, Number.NaN, 2 ** 53, 1e300, 1, 2 ** 22 + 4095])
      for (const call of [native.dispose, native.read, native.disposeGrid])
        expect(codeOf(() => call(handle))).toBe(DISPOSED);
    expect(codeOf(() => native.dispose("1" as Any))).toBe(TYPE);
    expect(codeOf(() => native.dispose(undefined as Any))).toBe(TYPE);
  });
});

describe("masks", () => {
  test.each<[string, Any, string]>([
    ["no grid", { samples: 1, visible: Uint8Array.of(1) }, TYPE],
    ["two axes", { samples: 1, grid: [1, 2], visible: Uint8Array.of(0, 1) }, TYPE],
    ["booleans", { samples: 1, grid: [1, 1, 2], visible: [false, true] }, TYPE],
    ["too few cells", { samples: 1, grid: [1, 1, 2], visible: Uint8Array.of(1) }, SHAPE],
    ["no samples", { samples: 0, grid: [1, 1, 2], visible: Uint8Array.of(0, 1) }, RANGE],
    ["cells beyond 64 bits", { samples: 2 ** 50, grid: [2 ** 50, 4, 4], visible: Uint8Array.of(1) }, RANGE],
    ["nothing visible", { samples: 1, grid: [1, 1, 2], visible: Uint8Array.of(0, 0) }, RANGE],
    ["nothing masked", { samples: 1, grid: [1, 1, 2], visible: Uint8Array.of(1, 1) }, RANGE],
  ])("%s", (_name, options, code) => {
    expect(codeOf(() => new BlockMask(options))).toBe(code);
  });
});

describe("launches", () => {
  const relu = kernelIds.leaky_relu_forward;

  test.each<[string, Any[], string]>([
    ["no arguments", [], TYPE],
    ["a kernel that is not there", [1e6, [], {}], RANGE],
    ["half a kernel", [0.5, [], {}], RANGE],
    ["inputs that are none", [relu, 5, {}], TYPE],
    ["attributes that are none", [relu, [], null], TYPE],
    ["no inputs", [relu, [], {}], TYPE],
    ["an endless array", [relu, new Array(2 ** 32 - 1), {}], TYPE],
    ["handles as strings", [relu, ["1"], {}], TYPE],
  ])("%s", (_name, args, code) => {
    expect(codeOf(() => (native.launch as Any)(...args))).toBe(code);
  });

  test("attributes", () => {
    using x = zeros([4]);
    expect(codeOf(() => leakyRelu(x, "1" as Any))).toBe(TYPE);
    expect(codeOf(() => leakyRelu(x, Number.NaN))).toBe(RANGE);
    expect(codeOf(() => leakyRelu(x, -0.5))).toBe(RANGE);
    expect(codeOf(() => leakyRelu(5 as Any))).toBe(TYPE);
    expect(codeOf(() => leakyRelu(null as Any))).toBe(TYPE);
  });

  test("a getter that throws is passed on", () => {
    using x = zeros([4]);
    const attributes = {
      get slope() {
        throw new Error("from the getter");
      },
    };
    expect(() => native.launch(relu, [x.handle], attributes)).toThrow("from the getter");
  });

  test("a getter that disposes an input is found out", () => {
    const x = zeros([4]);
    const attributes = {
      get slope() {
        x.dispose();
        return 0.5;
      },
    };
    expect(codeOf(() => native.launch(relu, [x.handle], attributes))).toBe(DISPOSED);
  });

  test("a getter that makes tensors does not move the inputs from under the call", async () => {
    using x = tensor([-2, 2], [2]);
    const made: number[] = [];
    const attributes = {
      get slope() {
        for (let i = 0; i < 1000; i++) made.push(native.fill(0, 0, [1], 0, 0));
        return 0.5;
      },
    };
    const [y] = native.launch(relu, [x.handle], attributes);
    expect(Array.from(await native.read((y as Any).handle))).toEqual([-1, 2]);
    for (const handle of [...made, (y as Any).handle]) native.dispose(handle);
  });

  test("a Proxy is an object like any other", async () => {
    using x = tensor([-2, 2], [2]);
    const [y] = native.launch(relu, [x.handle], new Proxy({ slope: 0.5 }, {}));
    expect(Array.from(await native.read((y as Any).handle))).toEqual([-1, 2]);
    native.dispose((y as Any).handle);
  });
});

test("settings", () => {
  for (const n of [0, -1, 1.5, Number.NaN, 1025]) expect(codeOf(() => setThreads(n))).toBe(RANGE);
  const spelled: [number, string][] = [
    [1.5, "1.5"],
    [-0.1, "-0.1"],
    [1e21, "1e+21"],
    [1 / 3, "0.3333333333333333"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
  ];
  for (const [n, text] of spelled)
    expect(() => setThreads(n)).toThrow(`threads is ${text}, allowed are whole numbers up to 2^53`);
  expect(() => setThreads(3e9)).toThrow("threads is 3000000000, allowed are 1 to 1024");
  expect(codeOf(() => setThreads("2" as Any))).toBe(TYPE);
  expect(codeOf(() => setMemoryLimit(-1))).toBe(RANGE);
  expect(codeOf(() => resetPeak("tpu" as Any))).toBe("ERR_VOXELSPARK_DEVICE");
  expect(codeOf(() => native.configure(null as Any))).toBe(TYPE);
  expect(codeOf(() => native.configure({ isa: Symbol("avx2") as Any }))).toBe(TYPE);
  expect(codeOf(() => native.configure({ isa: "sse" }))).toBe(RANGE);
  expect(codeOf(() => native.configure({ cudaLibrary: 5 as Any }))).toBe(TYPE);
});

test("5000 random calls", () => {
  const random = rng(2024, 0, "test", 0);
  const one = <T>(of: readonly T[]): T => of[random.int(of.length)] as T;
  const handles: number[] = [];
  const odd = [
    null,
    undefined,
    true,
    "1",
    "",
    1n,
    {},
    [],
    () => 1,
    Symbol("s"),
    new Float32Array(4),
    detached(),
  ];
  const numbers = [0, -0, 1, 2, 3, 4, 5, 0.5, -1, Number.NaN, 2 ** 31, 2 ** 53, Number.NEGATIVE_INFINITY];
  const value = (): Any => {
    const kind = random.int(8);
    if (kind === 0) return one(odd);
    if (kind === 1) return one(numbers);
    if (kind === 2 && handles.length) return one(handles);
    if (kind === 3) return [1, one([1, 2]), 2, 2, one([2, 4])].slice(random.int(5));
    if (kind === 4) return [one([1, 2]), 1, one(numbers)];
    if (kind === 5) return one([new Float32Array(8), new Uint8Array(4).fill(1), new Float64Array(8)]);
    if (kind === 6) return handles.length ? [one(handles), one(handles)] : [];
    return one([{}, { slope: one(numbers) }, { slope: one(odd) }, 0, 1]);
  };
  const handle = () => handles[handles.length - 1 - random.int(8)] ?? 0;
  const honest = {
    createGrid: () => [1, [1, 1, 2], Uint8Array.of(0, 1)],
    disposeGrid: () => [0],
    upload: () => [0, 0, [2, 4], 0, new Float32Array(8)],
    fill: () => [one([0, 1, 2]), 0, [1, 2, 1, 2, 2], 0, 1],
    dispose: () => [handle()],
    read: () => [handle()],
    write: () => [handle(), new Float32Array(8)],
    launch: () => [random.int(4), [handle(), handle()].slice(random.int(2)), {}],
  };
  const calls = Object.keys(honest) as (keyof typeof honest)[];
  let refused = 0;
  for (let i = 0; i < 5000; i++) {
    const name = one(calls);
    const args: Any[] = honest[name]();
    for (let wrong = random.int(3); wrong > 0; wrong--) args[random.int(args.length + 1)] = value();
    try {
      const result = (native[name] as Any)(...args);
      if (name === "fill" || name === "upload") handles.push(result);
      if (name === "launch") handles.push(...result.map((o: Any) => o.handle));
      if (name === "read") result.catch(() => {});
      if (name === "createGrid") native.disposeGrid(result);
    } catch (error) {
      refused++;
      const { code, message } = error as { code?: string; message: string };
      if (!code?.startsWith("ERR_VOXELSPARK_"))
        throw new Error(`call ${i}, ${name}(${args.map(String).join(", ")}): ${message}`);
    }
  }
  expect(refused).toBeGreaterThan(1000);
  expect(handles.length).toBeGreaterThan(20);
  for (const handle of handles)
    try {
      native.dispose(handle);
    } catch {
      // disposed by one of the calls
    }
});
