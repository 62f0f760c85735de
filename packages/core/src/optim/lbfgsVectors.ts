/**
 * The vectors of L-BFGS, all parameters one after another, on the device: each operation is compiled once for a shape and
 * replayed, for as many pairs as the history has.
 */
import { grad, stopGradient } from "../autodiff/index.ts";
import { AutodiffError } from "../graph/errors.ts";
import { sizeOf } from "../graph/shape.ts";
import { assignAll } from "../runtime/evaluate.ts";
import { tensor } from "../tensor/creation.ts";
import { abs, add, cast, mul, neg, sub } from "../tensor/elementwise.ts";
import { concat, stack } from "../tensor/join.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { max, sum } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { reshape, slice } from "../tensor/views.ts";
import { compile } from "../trace/compile.ts";
import { differentiableAncestors } from "./dependence.ts";
import { arithmetic, inDType } from "./updates.ts";

/** A change of the parameters, and of the gradient with it. */
export interface Pair {
  readonly step: Tensor;
  readonly change: Tensor;
  /** 1 / (step · change). */
  readonly rho: number;
}

/** The loss and its gradient at one place. */
export interface Evaluation {
  readonly loss: Tensor;
  readonly gradient: Tensor;
  readonly value: number;
  /** Largest magnitude in the gradient, and sum of the magnitudes. */
  readonly largest: number;
  readonly total: number;
  /** Derivative along the direction. */
  readonly slope: number;
}

const dot = (a: Tensor, b: Tensor): Tensor => sum(mul(a, b));
const numbersOf = async (numbers: Tensor): Promise<number[]> => Array.from(await numbers.data());

const negative = compile((x: Tensor) => neg(x));
const scaled = compile((x: Tensor, factor: Tensor) => mul(x, factor));
const along = compile((gradient: Tensor, direction: Tensor) => stack([dot(gradient, direction), max(abs(direction))]));
const differences = compile((gradient: Tensor, before: Tensor, direction: Tensor, t: Tensor) => {
  const change = sub(gradient, before);
  const step = mul(direction, t);
  return { change, step, products: stack([dot(change, step), dot(change, change)]) };
});
// The two halves of the recursion. Pairs are taken newest first, then oldest first.
const backwards = compile((q: Tensor, step: Tensor, change: Tensor, rho: Tensor) => {
  const alpha = mul(dot(step, q), rho);
  return { alpha, q: sub(q, mul(change, alpha)) };
});
const forwards = compile((r: Tensor, step: Tensor, change: Tensor, rho: Tensor, alpha: Tensor) =>
  add(r, mul(step, sub(alpha, mul(dot(change, r), rho)))),
);

/** Minus the approximate inverse Hessian times the gradient: Nocedal & Wright, algorithm 7.4. */
function twoLoop(gradient: Tensor, history: readonly Pair[], scale: number): Tensor {
  const scalar = (value: number): Tensor => tensor(value, { dtype: gradient.dtype });
  let vector = negative(gradient);
  const alphas: Tensor[] = [];
  for (const { step, change, rho } of history.toReversed()) {
    const { alpha, q } = backwards(vector, step, change, scalar(rho));
    alphas.push(alpha);
    vector = q;
  }
  vector = scaled(vector, scalar(scale));
  for (const { step, change, rho } of history) {
    vector = forwards(vector, step, change, scalar(rho), alphas.pop() as Tensor);
  }
  return vector;
}

export type Loss<Inputs extends readonly Tensor[]> = (...inputs: Inputs) => Tensor;

interface Compiled {
  /** Where the parameters are. */
  readonly here: (inputs: readonly Tensor[]) => { loss: Tensor; gradient: Tensor; numbers: Tensor };
  /** Moves them to start + t · direction first. */
  readonly there: (
    inputs: readonly Tensor[],
    start: Tensor,
    direction: Tensor,
    t: Tensor,
  ) => { loss: Tensor; gradient: Tensor; numbers: Tensor };
}

/** The parameters as one vector, and a loss along lines in it. */
export class LbfgsVectors {
  readonly dtype: "float32" | "float64";
  readonly #parameters: readonly Parameter[];
  readonly #compiled = new WeakMap<object, Compiled>();
  readonly #flat: () => Tensor;
  readonly #place: (start: Tensor, direction: Tensor, t: Tensor) => void;

  constructor(parameters: readonly Parameter[]) {
    this.#parameters = parameters;
    this.dtype = parameters.some((parameter) => arithmetic(parameter) === "float64") ? "float64" : "float32";
    this.#flat = compile(() => this.#joined(parameters));
    this.#place = compile((start, direction, t) => this.#move(start, direction, t));
  }

  #joined(tensors: readonly Tensor[]): Tensor {
    return concat(tensors.map((x) => reshape(inDType(x, this.dtype), [-1])));
  }

  #move(start: Tensor, direction: Tensor, t: Tensor): void {
    const moved = add(start, mul(direction, t));
    let offset = 0;
    const pairs = this.#parameters.map((parameter) => {
      const end = offset + sizeOf(parameter.shape);
      const part = reshape(slice(moved, { axis: 0, start: offset, end }), parameter.shape);
      offset = end;
      return [parameter.storage, inDType(part, parameter.dtype).node] as const;
    });
    assignAll(pairs);
  }

  #scalar(value: number): Tensor {
    return tensor(value, { dtype: this.dtype });
  }

  #gradientOf(loss: Tensor): Tensor {
    const used = differentiableAncestors(loss.node);
    if (!this.#parameters.some((parameter) => used.has(parameter.node))) {
      throw new AutodiffError("lbfgs", "the loss depends on no parameter of the optimizer");
    }
    return this.#joined(grad(loss, this.#parameters, { allowUnused: true }));
  }

  #of<Inputs extends readonly Tensor[]>(loss: Loss<Inputs>): Compiled {
    const known = this.#compiled.get(loss);
    if (known) return known;
    const look = (inputs: readonly Tensor[], direction?: Tensor) => {
      const value = loss(...(inputs as Inputs));
      const gradient = this.#gradientOf(value);
      const size = abs(gradient);
      const number = reshape(cast(stopGradient(value), this.dtype), []);
      const numbers = [number, max(size), sum(size), direction ? dot(gradient, direction) : number];
      return { loss: value, gradient, numbers: stack(numbers) };
    };
    const compiled: Compiled = {
      here: compile((inputs) => look(inputs)),
      there: compile((inputs, start, direction, t) => {
        this.#move(start, direction, t);
        return look(inputs, direction);
      }),
    };
    this.#compiled.set(loss, compiled);
    return compiled;
  }

  async #read({ loss, gradient, numbers }: ReturnType<Compiled["here"]>): Promise<Evaluation> {
    const [value = Number.NaN, largest = Number.NaN, total = Number.NaN, slope = Number.NaN] = await numbersOf(numbers);
    return { loss, gradient, value, largest, total, slope };
  }

  /** The loss where the parameters are. Its slope is of no direction. */
  evaluate<Inputs extends readonly Tensor[]>(loss: Loss<Inputs>, inputs: Inputs): Promise<Evaluation> {
    return this.#read(this.#of(loss).here(inputs));
  }

  /** Moves the parameters to start + t · direction and looks at the loss there. */
  evaluateAt<Inputs extends readonly Tensor[]>(
    loss: Loss<Inputs>,
    inputs: Inputs,
    start: Tensor,
    direction: Tensor,
    t: number,
  ): Promise<Evaluation> {
    return this.#read(this.#of(loss).there(inputs, start, direction, this.#scalar(t)));
  }

  /** Moves the parameters to start + t · direction. */
  place(start: Tensor, direction: Tensor, t: number): void {
    this.#place(start, direction, this.#scalar(t));
  }

  /** Where the parameters are: a copy. */
  position(): Tensor {
    return this.#flat();
  }

  /** A vector of the same length from the host. */
  vector(values: ArrayLike<number>): Tensor {
    return tensor(Float64Array.from(values), { dtype: this.dtype });
  }

  /** The direction of steepest descent. */
  descent(gradient: Tensor): Tensor {
    return negative(gradient);
  }

  /** The quasi-Newton direction; `scale` is that of the initial inverse Hessian. */
  direction(gradient: Tensor, history: readonly Pair[], scale: number): Tensor {
    return twoLoop(gradient, history, scale);
  }

  /** Derivative along the direction, and the largest magnitude in it. */
  async along(gradient: Tensor, direction: Tensor): Promise<{ slope: number; reach: number }> {
    const [slope = Number.NaN, reach = Number.NaN] = await numbersOf(along(gradient, direction));
    return { slope, reach };
  }

  /** What changed by a step t · direction: the pair, step · change and change · change. */
  async differences(
    gradient: Tensor,
    before: Tensor,
    direction: Tensor,
    t: number,
  ): Promise<{ step: Tensor; change: Tensor; curvature: number; square: number }> {
    const { step, change, products } = differences(gradient, before, direction, this.#scalar(t));
    const [curvature = Number.NaN, square = Number.NaN] = await numbersOf(products);
    return { step, change, curvature, square };
  }
}
