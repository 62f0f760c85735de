import { manualSeed, useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { beforeAll, expect, it } from "vitest";
import type { ImageDataset } from "./dataset.ts";
import { Loader } from "./loader.ts";

beforeAll(() => useBackend(referenceBackend()));

const data: ImageDataset = {
  images: Float32Array.from({ length: 40 }, (_, i) => i),
  labels: Int32Array.from({ length: 10 }, (_, i) => i),
  height: 2,
  width: 2,
  classes: 10,
};

async function labelsOf(loader: Loader): Promise<number[][]> {
  const all: number[][] = [];
  for await (const { images, labels, size } of loader) {
    const found = [...(await labels.data())];
    expect(images.shape).toEqual([size, 1, 2, 2]);
    expect(labels.shape).toEqual([size]);
    expect([...(await images.data())]).toEqual(
      found.flatMap((label) => [0, 1, 2, 3].map((pixel) => 4 * label + pixel)),
    );
    all.push(found);
  }
  expect(all.length).toBe(loader.batches);
  return all;
}

it("goes through the data in order, the last batch being what is left", async () => {
  expect(await labelsOf(new Loader(data, { batchSize: 4 }))).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
});

it("leaves out a last batch that is not full, unless it is the only one", async () => {
  const kept = await labelsOf(new Loader(data, { batchSize: 4, dropLast: true }));
  expect(kept.map((batch) => batch.length)).toEqual([4, 4]);
  expect((await labelsOf(new Loader(data, { batchSize: 10, dropLast: true }))).length).toBe(1);
  expect((await labelsOf(new Loader(data, { batchSize: 64, dropLast: true })))[0]?.length).toBe(10);
});

it("shuffles anew at each pass, as the seed says", async () => {
  const loader = new Loader(data, { batchSize: 4, shuffle: true });
  manualSeed(1);
  const [first, second] = [(await labelsOf(loader)).flat(), (await labelsOf(loader)).flat()];
  manualSeed(1);
  expect((await labelsOf(loader)).flat()).toEqual(first);
  expect(second).not.toEqual(first);
  for (const order of [first, second]) expect([...order].sort()).toEqual([...data.labels]);
});

it.each([0, 2.5, -3, Number.NaN])("refuses batchSize %s", (batchSize) => {
  expect(() => new Loader(data, { batchSize })).toThrow(
    `Loader: expected batchSize as a whole positive number, got ${batchSize}`,
  );
});
