import { promises as fs } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import path from "node:path";
import { ensureFolder, guarded, MAX_IO, syncFolder, temporaryBeside } from "./files";

/** A file whose parts do not come in order: written at any position, it appears under its name with `commit`. */
export class PendingFile implements AsyncDisposable {
  private constructor(
    readonly target: string,
    private readonly temporary: string,
    private readonly handle: FileHandle,
  ) {}

  /** Makes the folders above it. */
  static async open(target: string): Promise<PendingFile> {
    const temporary = temporaryBeside(target);
    await ensureFolder(path.dirname(target));
    return guarded(target, "write", async () => {
      return new PendingFile(target, temporary, await fs.open(temporary, "w"));
    });
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return guarded(this.target, "write", async () => {
      for (let done = 0; done < bytes.byteLength; ) {
        const part = bytes.subarray(done, done + MAX_IO); // one call may write less than it is given
        done += (await this.handle.write(part, 0, part.byteLength, position + done)).bytesWritten;
      }
    });
  }

  async commit(): Promise<void> {
    await guarded(this.target, "write", async () => {
      await this.handle.sync();
      await fs.rename(this.temporary, this.target);
      await syncFolder(path.dirname(this.target));
    });
  }

  /** Nothing is left of a file that was not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
    await fs.rm(this.temporary, { force: true }).catch(() => {});
  }
}
