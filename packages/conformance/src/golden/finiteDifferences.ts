/** Gradients by central differences beside those by derivative rules. */
import { isFloat, type Tensor, tensor, vjp } from "@thalweg/core";
import type { DifferentiableCase } from "./differentiable.ts";
import { callGoldenOp } from "./opCases.ts";
import { decodeNumbers, type GoldenInput, makeInput } from "./schema.ts";

/** Elements of tensors, by whatever evaluates them. */
export type Read = (tensors: readonly Tensor[]) => readonly ArrayLike<number>[];

export interface Comparison {
  readonly input: string;
  readonly byRule: readonly number[];
  readonly byDifferences: readonly number[];
}

/** Weights of the outputs in the sum that is differentiated: distinct, none of them 0. */
const weightsOf = (output: Tensor, place: number): Float64Array =>
  Float64Array.from({ length: output.size }, (_, i) => 1 + (((i + place) * 0.6180339887498949) % 1));

const isDifferentiated = ({ op }: DifferentiableCase, place: number, output: Tensor): boolean =>
  // The new running statistics carry no gradient.
  isFloat(output.dtype) && !(op === "batchNorm" && place > 0);

/** In float64. The differences are extrapolated from two step sizes: their error is of fourth order. */
export function finiteDifferences(checked: DifferentiableCase, read: Read): Comparison[] {
  const { op, attributes, inputs, by } = checked;
  const build = (from: readonly GoldenInput[]) => {
    const tensors = new Map(from.map((input) => [input.name, makeInput(input, "float64")]));
    const outputs = callGoldenOp(op, tensors, attributes).filter((output, place) =>
      isDifferentiated(checked, place, output),
    );
    return { tensors, outputs };
  };
  const { tensors, outputs } = build(inputs);
  const weights = outputs.map(weightsOf);
  const cotangents = outputs.map(({ shape }, i) => tensor(weights[i] as Float64Array, { shape }));
  const gradients = vjp(
    outputs,
    by.map((name) => tensors.get(name) as Tensor),
    cotangents,
  );
  const byRule = read(gradients);

  const total = (moved: readonly GoldenInput[]): number =>
    read(build(moved).outputs).reduce(
      (sum, values, i) =>
        sum + Array.from(values).reduce((part, value, j) => part + value * (weights[i]?.[j] as number), 0),
      0,
    );
  return by.map((name, place) => {
    const values = decodeNumbers((inputs.find((input) => input.name === name) as GoldenInput).values);
    const difference = (element: number, step: number): number => {
      const at = (move: number) => {
        const moved = values.with(element, (values[element] as number) + move);
        return total(inputs.map((input) => (input.name === name ? { ...input, values: [...moved] } : input)));
      };
      return (at(step) - at(-step)) / (2 * step);
    };
    return {
      input: name,
      byRule: Array.from(byRule[place] as ArrayLike<number>),
      byDifferences: Array.from(values, (_, i) => (4 * difference(i, 5e-4) - difference(i, 1e-3)) / 3),
    };
  });
}
