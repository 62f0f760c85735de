import { expect, it } from "vitest";
import { images, labels, numbers, samples, samplesAndMean, tokens, updateInputs } from "./values.ts";

it("takes the numbers of the generator of Numerical Recipes", () => {
  const states = [1015568748, 1586005467, 2165703038, 3027450565];
  expect([...numbers(4, 1)]).toEqual(states.map((state) => Math.fround(state / 2 ** 31 - 1)));
  expect([...numbers(4, 1, 0.5, 3)]).toEqual(states.map((state) => Math.fround(3 + 0.5 * (state / 2 ** 31 - 1))));
  expect([...numbers(3, 2)]).not.toEqual([...numbers(3, 1)]);
});

it("spreads them evenly within their scale", () => {
  const values = numbers(10_000, 4, 0.5);
  expect(Math.max(...values)).toBeLessThan(0.5);
  expect(Math.min(...values)).toBeGreaterThanOrEqual(-0.5);
  expect(Math.abs(values.reduce((sum, x) => sum + x, 0) / values.length)).toBeLessThan(0.01);
});

it("has inputs from 0 to 1 and every class among the labels", () => {
  const pixels = images(2);
  expect(pixels.length).toBe(2 * 784);
  expect(Math.min(...pixels)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...pixels)).toBeLessThanOrEqual(1);
  expect(images(3, 8).length).toBe(24);
  expect([...labels(11)]).toEqual([0, 7, 4, 1, 8, 5, 2, 9, 6, 3, 0]);
  expect([...labels(4, 8)]).toEqual([0, 7, 6, 5]);
});

it("has targets that are the inputs one place later", () => {
  const { inputs, targets } = tokens(3, 5, 65);
  expect(inputs.length).toBe(15);
  expect([...targets.slice(0, -1)]).toEqual([...inputs.slice(1)]);
  expect(Math.min(...inputs, ...targets)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...inputs, ...targets)).toBeLessThan(65);
  // State after 77: 1142072648, whose upper half is 17426.
  expect(inputs[0]).toBe(17426 % 65);
});

it("cuts the parameters of an update into tensors", () => {
  const whole = updateInputs(12, 1);
  const parts = updateInputs(12, 4);
  expect(parts.parameters.map(({ length }) => length)).toEqual([3, 3, 3, 3]);
  expect(parts.parameters.flatMap((part) => [...part])).toEqual([...(whole.parameters[0] as Float32Array)]);
  expect(parts.gradients.flatMap((part) => [...part])).toEqual([...(whole.gradients[0] as Float32Array)]);
  expect(Math.min(...(whole.parameters[0] as Float32Array))).toBeGreaterThanOrEqual(0.5);
});

it("checks by three elements and the mean", () => {
  const values = Array.from({ length: 14 }, (_, i) => 10 * i);
  expect(samples(values)).toEqual([20, 70, 130]);
  expect(samplesAndMean(values)).toEqual([20, 70, 130, 65]);
});
