/** The functions that closed-loop optimizer cases minimise, by the names the golden files use. */
import {
  add,
  matmul,
  mean,
  mul,
  reshape,
  slice,
  softplus,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  transpose,
} from "@thalweg/core";
import type { FloatDType } from "./schema.ts";

export interface GoldenObjective {
  readonly name: string;
  readonly definition: string;
  readonly data?: Readonly<Record<string, number | readonly number[]>>;
}

/** A loss of parameters by name. */
export type Objective = (parameters: ReadonlyMap<string, Tensor>) => Tensor;

interface Data {
  /** An array, of which one size may be -1. */
  array(key: string, shape: readonly number[]): Tensor;
  number(key: string): number;
}

const objectives: Readonly<Record<string, (data: Data, parameter: (name: string) => Tensor) => Tensor>> = {
  quadratic({ array, number }, parameter) {
    const x = parameter("x");
    const quadratic = sum(mul(x, matmul(array("A", [x.size, x.size]), x)));
    return add(sub(mul(quadratic, 0.5), sum(mul(array("b", [x.size]), x))), number("c"));
  },
  logistic({ array, number }, parameter) {
    const w = parameter("weight");
    const z = add(matmul(array("X", [-1, w.size]), w), parameter("bias"));
    // log(1 + e^z) without overflow; the threshold of PyTorch's shortcut is far from what a double resolves.
    const likelihood = mean(sub(softplus(z, { threshold: 1e3 }), mul(array("y", [-1]), z)));
    return add(likelihood, mul(sum(square(w)), 0.5 * number("l2")));
  },
  leastSquares({ array }, parameter) {
    const weight = parameter("weight");
    const [outputs, inputs] = weight.shape as [number, number];
    const predicted = add(matmul(array("X", [-1, inputs]), transpose(weight)), parameter("bias"));
    return mean(square(sub(predicted, array("Y", [-1, outputs]))));
  },
  rosenbrock(_data, parameter) {
    const x = parameter("x");
    const [head, tail] = [slice(x, { axis: 0, end: x.size - 1 }), slice(x, { axis: 0, start: 1 })];
    return sum(add(mul(square(sub(tail, square(head))), 100), square(sub(1, head))));
  },
};

/** @throws {Error} on an objective that is not known, or lacks data it needs. */
export function makeObjective({ name, data = {} }: GoldenObjective, floats: FloatDType): Objective {
  const build = Object.hasOwn(objectives, name) ? objectives[name] : undefined;
  if (!build) throw new Error(`the objective ${name} is not known`);
  const entry = <T>(key: string, fits: (value: unknown) => value is T): T => {
    const value: unknown = Object.hasOwn(data, key) ? data[key] : undefined;
    if (!fits(value)) throw new Error(`the objective ${name} has no ${key}`);
    return value;
  };
  const isNumber = (value: unknown): value is number => typeof value === "number";
  const isList = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isNumber);
  const read: Data = {
    array: (key, shape) => reshape(tensor(Float64Array.from(entry(key, isList)), { dtype: floats }), shape),
    number: (key) => entry(key, isNumber),
  };
  return (parameters) =>
    build(read, (key) => {
      const parameter = parameters.get(key);
      if (!parameter) throw new Error(`the objective ${name} needs a parameter ${key}`);
      return parameter;
    });
}
