/**
 * The autodiff layer beyond golden vectors: derivatives of every differentiable operation as the backend computes them,
 * against differences of what the operation is defined as.
 */
import { hvp, jvp, mul, sum, type Tensor, tensor, vjp } from "@thalweg/core";
import { evaluateNodes } from "@thalweg/core/backend";
import type { Case } from "../case.ts";
import { largestOf, mismatch } from "../golden/compare.ts";
import type { FloatDType } from "../golden/schema.ts";
import { needDTypes } from "../needs.ts";
import { tolerances } from "../tolerances.ts";
import { byElement, byElementTolerance, direction, directional, directionalTolerance } from "./differences.ts";
import { type Differentiable, differentiables } from "./differentiable.ts";

type Values = ArrayLike<number>;

const read = (tensors: readonly Tensor[]): Promise<Values[]> => Promise.all(tensors.map((x) => x.data()));
const evaluated = (tensors: readonly Tensor[]): Float64Array[] =>
  evaluateNodes(tensors.map(({ node }) => node)).map(({ values }) => values);

/** Weights of the outputs in the sum that is differentiated: distinct, none of them 0, exact in float32. */
const weightsOf = (size: number, place: number): Float64Array =>
  Float64Array.from({ length: size }, (_, i) => Math.fround(1 + (((i + place) * 0.6180339887498949) % 1)));

interface Graph {
  readonly variables: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly weights: readonly Tensor[];
}

function graphOf({ inputs, outputs }: Differentiable, floats: FloatDType, values?: readonly Float64Array[]): Graph {
  const variables = inputs.map((input, i) =>
    tensor(values?.[i] ?? input.values, { shape: input.shape, dtype: floats }),
  );
  const results = outputs(variables, floats);
  const weights = results.map(({ size, shape, dtype }, i) => tensor(weightsOf(size, i), { shape, dtype }));
  return { variables, outputs: results, weights };
}

const gradientsOf = ({ variables, outputs, weights }: Graph): readonly Tensor[] =>
  vjp([...outputs], [...variables], [...weights], { allowUnused: true }) as Tensor[];

/** The weighted sum of the outputs. */
const lossOf = ({ outputs, weights }: Graph): Tensor =>
  outputs.map((output, i) => sum(mul(output, weights[i] as Tensor))).reduce((total, part) => total.add(part));

const directionsOf = ({ inputs }: Differentiable): Float64Array[] =>
  inputs.map(({ values }, i) => direction(values.length, i));
const directionTensors = (checked: Differentiable, floats: FloatDType): Tensor[] =>
  directionsOf(checked).map((values, i) => tensor(values, { shape: checked.inputs[i]?.shape, dtype: floats }));

function expectNear(what: string, actual: Values, expected: Values, tolerance: number): void {
  if (actual.length !== expected.length) {
    throw new Error(`${what}: ${actual.length} elements, expected ${expected.length}`);
  }
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number];
    if (!(Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e)))) {
      throw new Error(`${what}, element ${i}: got ${a}, by differences ${e}`);
    }
  }
}

/** Values of `inputs` moved along their directions. */
const moved = (checked: Differentiable, step: number): Float64Array[] => {
  const directions = directionsOf(checked);
  return checked.inputs.map(({ values }, i) => values.map((x, j) => x + step * (directions[i]?.[j] as number)));
};

async function checkGradients(checked: Differentiable): Promise<void> {
  const actual = await read(gradientsOf(graphOf(checked, "float64")));
  const loss = (values: readonly Float64Array[]): number =>
    (evaluated([lossOf(graphOf(checked, "float64", values))])[0] as Float64Array)[0] as number;
  const values = checked.inputs.map((input) => input.values);
  for (const [i, { name }] of checked.inputs.entries()) {
    const expected = byElement(values, i, loss);
    expectNear(`gradient by ${name}`, actual[i] as Values, expected, byElementTolerance);
  }
}

async function checkSingleGradients(checked: Differentiable): Promise<void> {
  const expected = evaluated(gradientsOf(graphOf(checked, "float64")));
  const actual = await read(gradientsOf(graphOf(checked, "float32")));
  const tolerance = tolerances.get(checked.op)?.gradient;
  if (!tolerance) throw new Error(`there is no tolerance for ${checked.op}`);
  for (const [i, { name }] of checked.inputs.entries()) {
    const values = expected[i] as Float64Array;
    const message = mismatch({
      what: `gradient by ${name}`,
      actual: actual[i] as Values,
      expected: values,
      dtype: "float32",
      tolerance,
      length: checked.length,
      terms: largestOf(values, ...checked.inputs.map((input) => input.values)),
    });
    if (message) throw new Error(message);
  }
}

async function checkSecond(checked: Differentiable): Promise<void> {
  const graph = graphOf(checked, "float64");
  const options = { allowUnused: true };
  const products = hvp(lossOf(graph), [...graph.variables], directionTensors(checked, "float64"), options) as Tensor[];
  const actual = await read(products);
  const gradients = (step: number): Float64Array[] =>
    evaluated(gradientsOf(graphOf(checked, "float64", moved(checked, step))));
  const expected = directional(gradients);
  for (const [i, { name }] of checked.inputs.entries()) {
    expectNear(`Hessian-vector product by ${name}`, actual[i] as Values, expected[i] as Values, directionalTolerance);
  }
}

async function checkForward(checked: Differentiable): Promise<void> {
  const graph = graphOf(checked, "float64");
  const tangents = directionTensors(checked, "float64");
  const moves = await read(jvp([...graph.outputs], [...graph.variables], tangents) as Tensor[]);
  const outputs = (step: number): Float64Array[] => {
    const { outputs } = graphOf(checked, "float64", moved(checked, step));
    return evaluated(outputs);
  };
  for (const [i, expected] of directional(outputs).entries()) {
    expectNear(`jvp of output ${i}`, moves[i] as Values, expected, directionalTolerance);
  }
  // w·(J v) = (Jᵀ w)·v.
  const gradients = await read(gradientsOf(graph));
  const dot = (a: Values, b: Values): number =>
    Array.from(a, (x, i) => x * (b[i] as number)).reduce((total, x) => total + x, 0);
  const forward = moves.map((move, i) => dot(move, weightsOf(move.length, i))).reduce((total, x) => total + x, 0);
  const reverse = directionsOf(checked)
    .map((v, i) => dot(gradients[i] as Values, v))
    .reduce((total, x) => total + x, 0);
  expectNear("vjp and jvp as one number", [reverse], [forward], 1e-10);
}

const inFloat64 = (checked: Differentiable, what: string, check: (checked: Differentiable) => Promise<void>): Case => ({
  layer: "autodiff",
  name: `${checked.name}: ${what}`,
  async run({ backend }) {
    needDTypes(backend, "float64");
    await check(checked);
  },
});

/** First derivatives in both dtypes; second and forward ones in float64. */
export const derivativeCases: readonly Case[] = differentiables.flatMap((checked) => [
  inFloat64(checked, "gradients by rules and by differences", checkGradients),
  {
    layer: "autodiff" as const,
    name: `${checked.name}: gradients in float32`,
    run: () => checkSingleGradients(checked),
  },
  ...(checked.once ? [] : [inFloat64(checked, "second derivatives by rules and by differences", checkSecond)]),
  inFloat64(checked, "jvp by rules and by differences, and vjp", checkForward),
]);
