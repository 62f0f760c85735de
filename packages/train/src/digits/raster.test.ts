import { expect, it } from "vitest";
import { drawSegment } from "./raster.ts";

it("covers whole pixels along the pen and a part at its edge", () => {
  const image = new Float32Array(25);
  drawSegment(image, 5, [1, 2, 3, 2], 0.75);
  expect([...image.subarray(10, 15)]).toEqual([0.25, 1, 1, 1, 0.25]);
  expect([...image.subarray(5, 10)].map((v) => Math.round(v * 100) / 100)).toEqual([0, 0.25, 0.25, 0.25, 0]);
  expect([...image.subarray(0, 5)]).toEqual([0, 0, 0, 0, 0]);
});

it("keeps the darker of what is there, and stays inside the image", () => {
  const image = new Float32Array(9).fill(0.5);
  drawSegment(image, 3, [-5, 0, 10, 0], 0.75);
  expect([...image]).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
});

it("draws a dot for a segment without length", () => {
  const image = new Float32Array(9);
  drawSegment(image, 3, [1, 1, 1, 1], 0.5);
  expect([...image]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0]);
});
