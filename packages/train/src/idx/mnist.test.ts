import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataError } from "../dataError.ts";
import { readMnist } from "./mnist.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "thalweg-idx-"));
});
afterEach(() => rm(folder, { recursive: true }));

function idx(magic: number, shape: readonly number[], bytes: readonly number[] | Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(magic, 0);
  for (const [axis, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * axis);
  return Buffer.concat([header, Buffer.from(bytes)]);
}
const images = (count: number, side = 28) =>
  idx(
    0x803,
    [count, side, side],
    Uint8Array.from({ length: count * side * side }, (_, i) => i % 256),
  );
const labels = (...values: number[]) => idx(0x801, [values.length], values);
const put = (name: string, bytes: Uint8Array) => writeFile(join(folder, name), bytes);
const putPair = async (prefix: string, count: number) => {
  await put(`${prefix}-images-idx3-ubyte`, images(count));
  await put(`${prefix}-labels-idx1-ubyte`, labels(...Array.from({ length: count }, (_, i) => i % 10)));
};

/** The error reading the folder ends in; its message without the folder's path. */
async function failure(): Promise<string> {
  const error = await readMnist(folder).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(DataError);
  return (error as DataError).message.replaceAll(folder, "DIR");
}

describe("readMnist", () => {
  it("trains on train and validates on t10k when both are there", async () => {
    await putPair("train", 7);
    await putPair("t10k", 3);
    const { train, validation, files } = await readMnist(folder);
    expect([...train.labels]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect([...validation.labels]).toEqual([0, 1, 2]);
    expect(train.images.length).toBe(7 * 784);
    expect(train.images[255]).toBe(1);
    expect(train.images[51]).toBeCloseTo(0.2, 7);
    expect(files.length).toBe(4);
  });

  it.each(["train", "t10k"])("validates on the last fifth of a lone %s pair", async (prefix) => {
    await putPair(prefix, 10);
    const { train, validation } = await readMnist(folder);
    expect([...train.labels]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...validation.labels]).toEqual([8, 9]);
    expect(validation.images[0]).toBeCloseTo(((8 * 784) % 256) / 255, 6);
  });

  it("reads gzipped files, names with dots, and files a browser unpacked", async () => {
    await put("t10k-images.idx3-ubyte.gz", gzipSync(images(5)));
    await put("t10k-labels-idx1-ubyte.gz", labels(9, 8, 7, 6, 5));
    const { train, validation } = await readMnist(folder);
    expect([...train.labels, ...validation.labels]).toEqual([9, 8, 7, 6, 5]);
  });

  it("says when there is nothing to read", async () => {
    expect(await failure()).toMatch(/^DIR: no MNIST files here; expected train-images-idx3-ubyte\[\.gz\]/);
    const missing = await readMnist(join(folder, "missing")).catch((e: unknown) => e);
    expect((missing as DataError).message).toBe(
      `${join(folder, "missing")}: cannot be read as a folder: it does not exist`,
    );
    await put("file", labels(1));
    const file = await readMnist(join(folder, "file")).catch((e: unknown) => e);
    expect((file as DataError).message).toMatch(/it is not a folder$/);
  });

  it("says which half of a pair is missing", async () => {
    await put("train-images-idx3-ubyte", images(5));
    expect(await failure()).toBe("DIR/train-images-idx3-ubyte: has no train-labels-idx1-ubyte[.gz] beside it");
    await rm(join(folder, "train-images-idx3-ubyte"));
    await put("train-labels-idx1-ubyte", labels(1));
    expect(await failure()).toBe("DIR/train-labels-idx1-ubyte: has no train-images-idx3-ubyte[.gz] beside it");
  });

  it.each<[string, Buffer, string]>([
    ["an empty file", Buffer.alloc(0), "0 bytes are too few for an IDX file"],
    ["another magic number", idx(0x1234, [2], [0, 0]), "magic number 0x00001234; expected 0x00000803 for IDX images"],
    ["labels for images", labels(1, 2), "magic number 0x00000801 (a label file); expected 0x00000803 for IDX images"],
    ["a cut header", idx(0x803, [5], []), "the file ends in its header, after 8 of 16 bytes"],
    ["no images", idx(0x803, [0, 28, 28], []), "the header says 0 images"],
    ["too few bytes", images(5).subarray(0, -1), "is cut short: 3935 bytes; its header (5 × 28 × 28) makes 3936"],
    [
      "too many bytes",
      Buffer.concat([images(5), Buffer.alloc(2)]),
      "has more after its end: 3938 bytes; its header (5 × 28 × 28) makes 3936",
    ],
    ["another size", images(5, 20), "images of 20 × 20; expected 28 × 28"],
    [
      "huge sizes",
      idx(0x803, [2 ** 32 - 1, 28, 28], [1]),
      "is cut short: 17 bytes; its header (4294967295 × 28 × 28) makes 3367254359296",
    ],
    ["a truncated gzip stream", gzipSync(images(5)).subarray(0, -20), "broken gzip file: unexpected end of file"],
    [
      "a corrupt gzip stream",
      Buffer.from([0x1f, 0x8b, 9, 9, 9, 9, 9, 9]),
      "broken gzip file: unknown compression method",
    ],
  ])("refuses an image file with %s", async (_, bytes, message) => {
    await putPair("train", 5);
    await put("train-images-idx3-ubyte", bytes);
    expect(await failure()).toBe(`DIR/train-images-idx3-ubyte: ${message}`);
  });

  it.each<[string, Buffer, string]>([
    ["a label over 9", labels(1, 2, 10, 3, 4), "label 10 at position 2; expected 0 to 9"],
    ["fewer labels", labels(1, 2, 3, 4), "4 labels, but 5 images in DIR/t10k-images-idx3-ubyte"],
    ["more labels", labels(1, 2, 3, 4, 5, 6), "6 labels, but 5 images in DIR/t10k-images-idx3-ubyte"],
    ["images for labels", images(5), "magic number 0x00000803 (an image file); expected 0x00000801 for IDX labels"],
  ])("refuses a label file with %s", async (_, bytes, message) => {
    await putPair("t10k", 5);
    await put("t10k-labels-idx1-ubyte", bytes);
    expect(await failure()).toBe(`DIR/t10k-labels-idx1-ubyte: ${message}`);
  });

  it("needs an image to train on and one to validate", async () => {
    await putPair("train", 1);
    expect(await failure()).toBe(
      "DIR/train-images-idx3-ubyte: 1 image; expected at least 2, to keep one for validation",
    );
  });

  it("says when a file cannot be read", async () => {
    await putPair("train", 5);
    await rm(join(folder, "train-images-idx3-ubyte"));
    await import("node:fs/promises").then(({ mkdir }) => mkdir(join(folder, "train-images-idx3-ubyte")));
    expect(await failure()).toMatch(/^DIR\/train-images-idx3-ubyte: cannot be read: EISDIR/);
  });
});
