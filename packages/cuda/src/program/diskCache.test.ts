import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DiskCache, defaultCacheFolder } from "./diskCache.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thalweg-cache-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

it("gives back what was written, and nothing for another key", () => {
  const cache = new DiskCache(join(folder, "deep", "er"));
  expect(cache.read("a")).toBeUndefined();
  cache.write("a", bytes(1, 2, 3));
  expect(Array.from(cache.read("a") as Uint8Array)).toEqual([1, 2, 3]);
  expect(cache.read("b")).toBeUndefined();
  expect(readdirSync(join(folder, "deep", "er"))).toEqual(["a.module"]);
});

it("does not believe a file that was cut short or changed", () => {
  const cache = new DiskCache(folder);
  cache.write("a", bytes(1, 2, 3));
  const path = join(folder, "a.module");
  const whole = readFileSync(path);
  for (const damaged of [
    whole.subarray(0, 34),
    whole.subarray(0, 32),
    Buffer.alloc(0),
    Buffer.concat([whole, bytes(4)]),
  ]) {
    writeFileSync(path, damaged);
    expect(cache.read("a")).toBeUndefined();
  }
  cache.write("a", bytes(1, 2, 3));
  expect(cache.read("a")).toBeDefined();
});

it("does without a folder that cannot be written", () => {
  writeFileSync(join(folder, "file"), "");
  const cache = new DiskCache(join(folder, "file", "below"));
  cache.write("a", bytes(1));
  expect(cache.read("a")).toBeUndefined();
  cache.prune();
});

it("removes what was used longest ago when there is too much", () => {
  const cache = new DiskCache(folder);
  for (const [i, key] of ["old", "middle", "new"].entries()) {
    cache.write(key, new Uint8Array(68));
    utimesSync(join(folder, `${key}.module`), 1000 + i, 1000 + i);
  }
  // Reading is use.
  cache.read("old");
  cache.prune(250);
  expect(readdirSync(folder).sort()).toEqual(["new.module", "old.module"]);
});

it("lies where the environment says", () => {
  expect(defaultCacheFolder({ THALWEG_CUDA_CACHE: "/x" })).toBe("/x");
  expect(defaultCacheFolder({ XDG_CACHE_HOME: "/c" })).toBe("/c/thalweg/cuda");
  expect(defaultCacheFolder({})).toMatch(/\.cache\/thalweg\/cuda$/);
});
