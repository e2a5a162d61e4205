import { execFileSync, spawn } from "node:child_process";
import { promises as fs, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  ensureFolder,
  exists,
  readFileBounded,
  readTextFile,
  removeTemporary,
  sha256,
  sha256File,
  writeFileAtomic,
  writeFolderAtomic,
  writeJsonAtomic,
} from "../lib/files";
import { requireLib } from "./compile-lib";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "files-"));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

describe("writeFileAtomic", () => {
  test("writes text, bytes and streams; returns size and hash; leaves nothing else", async () => {
    const file = path.join(folder, "a b – é.txt");
    const parts = [Buffer.from("ab"), Buffer.from(""), Buffer.from("c")];
    async function* stream() {
      yield* parts;
    }
    for (const content of ["abc", Buffer.from("abc"), parts, stream()]) {
      expect(await writeFileAtomic(file, content)).toEqual({ bytes: 3, sha256: sha256("abc") });
      expect(readFileSync(file, "utf8")).toBe("abc");
      expect(await sha256File(file)).toBe(sha256("abc"));
      expect(readdirSync(folder)).toHaveLength(1);
    }
    await writeJsonAtomic(file, { a: [1] });
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ a: [1] });
  });

  test("sha256 is the published one", () => {
    expect(sha256("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });

  test("a content that fails half-way keeps the old file and leaves nothing behind", async () => {
    const file = path.join(folder, "state.json");
    writeFileSync(file, "old");
    async function* broken() {
      yield Buffer.alloc(100000);
      throw new Error("source failed");
    }
    await expect(writeFileAtomic(file, broken())).rejects.toThrow("source failed");
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["state.json"]);
  });

  test("a name of the longest length allowed works", async () => {
    const file = path.join(folder, "x".repeat(255));
    await writeFileAtomic(file, "1");
    expect(readFileSync(file, "utf8")).toBe("1");
  });

  test.each([
    ["name too long", (f: string) => path.join(f, "x".repeat(256))],
    ["a folder in the way", (f: string) => f],
  ])("%s: an IoError that names the path", async (_, target) => {
    const file = target(folder);
    await expect(writeFileAtomic(file, "1")).rejects.toMatchObject({
      code: "ERR_VOXELSPARK_IO",
      message: expect.stringContaining(file),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test("fails at the k-th system call, k = 1, 2, 3 …: old file intact, nothing left, typed error", async () => {
    const file = path.join(folder, "state.json");
    const content = Array.from({ length: 3 }, () => Buffer.alloc(5000, 1));
    for (const code of ["ENOSPC", "EIO"]) {
      let failures = 0;
      for (let k = 1; ; k++) {
        writeFileSync(file, "old");
        const calls = failCall(k, code);
        const error = await writeFileAtomic(file, content).then(
          () => undefined,
          (e: Error & { code: string }) => e,
        );
        jest.restoreAllMocks();
        if (error === undefined) {
          expect(calls()).toBeLessThan(k);
          break;
        }
        failures++;
        expect(error.code).toBe("ERR_VOXELSPARK_IO");
        expect(error.message).toContain(file);
        expect(error.message).toContain(code);
        if (code === "ENOSPC") expect(error.message).toMatch(/Free space there: \d+ bytes/);
        expect(readdirSync(folder)).toEqual(["state.json"]);
        // Once renamed the new content stands; the failed flush of the folder is still reported.
        expect(["old", Buffer.concat(content).toString()]).toContain(readFileSync(file, "utf8"));
      }
      expect(failures).toBeGreaterThanOrEqual(7); // open, 3 writes, flush, rename, folder's open and flush
    }
  });

  test("kill -9 while writing, at random times: the file is the old one or a new one, never a part", async () => {
    const file = path.join(folder, "victim.bin");
    writeFileSync(file, Buffer.alloc(100, 255));
    const script = path.join(folder, "writer.js");
    writeFileSync(
      script,
      `const { writeFileAtomic } = ${requireLib("files")};
       (async () => {
         for (let i = 0; ; i = (i + 1) % 250) {
           await writeFileAtomic(${JSON.stringify(file)}, Array.from({ length: 50 }, () => Buffer.alloc(20000, i)));
           if (i === 0) process.stdout.write("go");
         }
       })();`,
    );
    for (let round = 0; round < 4; round++) {
      const child = spawn(process.execPath, [script], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await new Promise((resolve) => child.stdout.once("data", resolve));
      await new Promise((resolve) => setTimeout(resolve, 3 + 11 * round));
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
      const content = readFileSync(file);
      expect(content).toHaveLength(1e6);
      expect(content.every((byte) => byte === content[0])).toBe(true);
    }
    await removeTemporary(folder);
    expect(readdirSync(folder).sort()).toEqual(["victim.bin", "writer.js"]);
  });
});

/** Makes the k-th open, write, sync or rename fail; returns a function telling how many were made. */
function failCall(k: number, code: string): () => number {
  let count = 0;
  const step = () => {
    if (++count === k) throw Object.assign(new Error(`${code}: injected`), { code });
  };
  const { open, rename } = fs;
  jest.spyOn(fs, "rename").mockImplementation(async (...args) => {
    step();
    return rename(...args);
  });
  jest.spyOn(fs, "open").mockImplementation(async (...args) => {
    step();
    const handle = await open(...args);
    for (const name of ["write", "sync"] as const) {
      const original = handle[name].bind(handle) as (...a: unknown[]) => Promise<unknown>;
      Object.assign(handle, {
        [name]: async (...a: unknown[]) => {
          step();
          return original(...a);
        },
      });
    }
    return handle;
  });
  return () => count;
}

test("what stands in the way is told: a read-only volume, a folder in the place of a file", async () => {
  const { mkdir } = fs;
  jest.spyOn(fs, "mkdir").mockImplementation((name, options) => {
    // As Node does on a read-only volume.
    const recursive = (options as { recursive?: boolean } | undefined)?.recursive === true;
    if (!String(name).includes("sealed")) return mkdir(name, options);
    return Promise.reject(Object.assign(new Error("mocked"), { code: recursive ? "ENOENT" : "EROFS" }));
  });
  const sealed = ensureFolder(path.join(folder, "sealed", "a", "b"));
  await expect(sealed).rejects.toThrow(/sealed.*Check the permissions of the folder/);
  await expect(writeFileAtomic(folder, "text")).rejects.toThrow(/It is a folder, a file is needed/);
});

describe("writeFolderAtomic", () => {
  test("appears complete or not at all", async () => {
    const target = path.join(folder, "step-1");
    await writeFolderAtomic(target, async (temporary) => {
      await writeFileAtomic(path.join(temporary, "a"), "1");
      expect(await exists(target)).toBe(false);
    });
    expect(readdirSync(folder)).toEqual(["step-1"]);
    expect(readdirSync(target)).toEqual(["a"]);

    const failed = writeFolderAtomic(path.join(folder, "step-2"), async (temporary) => {
      await writeFileAtomic(path.join(temporary, "a"), "1");
      throw new Error("stopped");
    });
    await expect(failed).rejects.toThrow("stopped");
    expect(readdirSync(folder)).toEqual(["step-1"]);
  });

  test("replaces an older folder as a whole; a failure keeps the older one", async () => {
    const target = path.join(folder, "step-1");
    const put = (name: string) => (temporary: string) => writeFileAtomic(path.join(temporary, name), name);
    await writeFolderAtomic(target, put("old"));
    for (let k = 1; ; k++) {
      const calls = failCall(k, "EIO");
      const error = await writeFolderAtomic(target, put("new")).catch((e) => e);
      jest.restoreAllMocks();
      if (calls() < k) break;
      expect(error.code).toBe("ERR_VOXELSPARK_IO");
      expect(["old", "new"]).toContain(readdirSync(target).join());
      expect(readdirSync(folder).filter((name) => !name.startsWith(".tmp"))).toEqual(["step-1"]);
    }
    expect(readdirSync(target)).toEqual(["new"]);
    await removeTemporary(folder);
    expect(readdirSync(folder)).toEqual(["step-1"]);
  });
});

describe("reading", () => {
  test("refuses what is not a regular file, without blocking on a pipe", async () => {
    const pipe = path.join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    await expect(readFileBounded(pipe, 10)).rejects.toThrow(`${pipe} is a pipe or device`);
    await expect(readFileBounded(folder, 10)).rejects.toThrow(`${folder} is a folder`);
    await expect(readFileBounded(path.join(folder, "no"), 10)).rejects.toMatchObject({
      code: "ERR_VOXELSPARK_IO",
    });
  });

  test("refuses what is too large or not text", async () => {
    const file = path.join(folder, "f");
    writeFileSync(file, Buffer.from([0xc3, 0x28]));
    await expect(readTextFile(file, 10)).rejects.toThrow(`${file} is not UTF-8 text.`);
    await expect(readFileBounded(file, 1)).rejects.toMatchObject({ code: "ERR_VOXELSPARK_TOO_LARGE" });
    expect(Array.from(await readFileBounded(file, 2))).toEqual([0xc3, 0x28]);
  });
});
