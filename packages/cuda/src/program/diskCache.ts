/**
 * Compiled modules on disk, so that a program that starts again need not wait for NVRTC. A file is named after all that its
 * contents depend on and begins with a hash of them: what is cut short or changed is compiled anew.
 */
import { createHash, randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const hashBytes = 32;
const suffix = ".module";
/** When there is more, what has not been used for longest goes. */
const mostBytes = 512 * 2 ** 20;

const sha256 = (data: Uint8Array): Buffer => createHash("sha256").update(data).digest();

/** `THALWEG_CUDA_CACHE`, else the user's cache folder. */
export function defaultCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return (
    environment.THALWEG_CUDA_CACHE || join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "thalweg", "cuda")
  );
}

export class DiskCache {
  readonly #folder: string;
  /** Files cannot be written here: asked once. */
  #readOnly = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  #path(key: string): string {
    return join(this.#folder, `${key}${suffix}`);
  }

  read(key: string): Uint8Array | undefined {
    let bytes: Buffer;
    try {
      bytes = readFileSync(this.#path(key));
    } catch {
      return undefined;
    }
    const data = bytes.subarray(hashBytes);
    if (data.length === 0 || !sha256(data).equals(bytes.subarray(0, hashBytes))) return undefined;
    try {
      const now = new Date();
      utimesSync(this.#path(key), now, now);
    } catch {
      // Another user's file: it is as good, and its age is not ours to set.
    }
    return data;
  }

  /** Does nothing where the folder cannot be written: a cache is no reason to fail. */
  write(key: string, data: Uint8Array): void {
    if (this.#readOnly) return;
    const temporary = `${this.#path(key)}.${randomUUID()}`;
    try {
      mkdirSync(this.#folder, { recursive: true });
      writeFileSync(temporary, Buffer.concat([sha256(data), data]));
      // Another process that writes the same file at the same time writes the same contents.
      renameSync(temporary, this.#path(key));
    } catch {
      this.#readOnly = true;
      if (existsSync(temporary)) rmSync(temporary, { force: true });
    }
  }

  /** Removes what was not used for longest until the rest fits in the bound. */
  prune(bound: number = mostBytes): void {
    try {
      const files = readdirSync(this.#folder)
        .filter((name) => name.endsWith(suffix))
        .map((name) => ({ path: join(this.#folder, name), stat: statSync(join(this.#folder, name)) }))
        .sort((a, b) => b.stat.mtimeMs - a.stat.mtimeMs);
      let total = 0;
      for (const { path, stat } of files) {
        total += stat.size;
        if (total > bound) rmSync(path, { force: true });
      }
    } catch {
      // No such folder yet, or a file that another process has just removed.
    }
  }
}
