import { expect, it } from "vitest";
import { type ImageDataset, splitLastFifth, standardize } from "./dataset.ts";

const numbered = (size: number): ImageDataset => ({
  images: Float32Array.from({ length: size * 4 }, (_, i) => i),
  labels: Int32Array.from({ length: size }, (_, i) => i),
  height: 2,
  width: 2,
  classes: size,
});

it("keeps the last fifth in file order for validation", () => {
  const { train, validation } = splitLastFifth(numbered(11));
  expect([...train.labels]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect([...validation.labels]).toEqual([9, 10]);
  expect(train.images.length).toBe(36);
  expect([...validation.images]).toEqual([36, 37, 38, 39, 40, 41, 42, 43]);
});

it("keeps at least one image for validation, and needs two", () => {
  expect(splitLastFifth(numbered(3)).validation.labels.length).toBe(1);
  expect(() => splitLastFifth(numbered(1))).toThrow("splitLastFifth: expected at least 2 images, got 1");
});

it("standardises both sets by the training set", () => {
  const { train, validation } = standardize(splitLastFifth(numbered(10)));
  const mean = train.images.reduce((sum, x) => sum + x, 0) / 32;
  const variance = train.images.reduce((sum, x) => sum + x * x, 0) / 32;
  expect(mean).toBeCloseTo(0, 6);
  expect(variance).toBeCloseTo(1, 6);
  expect(validation.images[0]).toBeCloseTo((32 - 15.5) / Math.sqrt((32 ** 2 - 1) / 12), 5);
});

it("only centres images of one colour", () => {
  const grey = { ...numbered(5), images: new Float32Array(20).fill(0.5) };
  expect([...standardize(splitLastFifth(grey)).train.images]).toEqual(new Array(16).fill(0));
});
