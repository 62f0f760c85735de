/** Gradients of a scalar, of a value or of a function. */
import { AutodiffError } from "../graph/errors.ts";
import { makeNode } from "../graph/node.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import { fillLike } from "./build.ts";
import { checkLoss, type GradOptions, pullBack } from "./products.ts";
import { flatten, type Like, type Tensors, unflatten } from "./structure.ts";

export interface GradFunctionOptions<N extends number | readonly number[] = number> extends GradOptions {
  /** Which argument to differentiate by, or which ones (the gradients then come as a list). Default 0. */
  readonly argnums?: N;
}

// Arguments that are not differentiated by may be anything.
type Arguments = readonly unknown[];
type ArgumentGradient<T> = T extends Tensors ? Like<T> : never;
type ArgumentGradients<A extends Arguments, N> = N extends readonly number[]
  ? { -readonly [K in keyof N]: ArgumentGradient<A[N[K] & keyof A]> }
  : ArgumentGradient<A[N & keyof A]>;

export interface ValueAndGradient<G> {
  /** The loss itself. */
  readonly value: Tensor;
  /** Its gradients, in the structure of what was differentiated by. */
  readonly gradients: G;
}

/**
 * A tensor that is `x` but nothing else: the same tensor given as two arguments, or used by the function beside its
 * argument, is not confused with the argument. A parameter stays itself.
 */
function separate(x: Tensor): Tensor {
  return x instanceof Parameter ? x : new Tensor(makeNode("reshape", [x.node], {}, x.shape, x.dtype));
}

function gradOfValue<T extends Tensors>(subject: string, loss: Tensor, wrt: T, options: GradOptions): Like<T> {
  checkLoss(subject, loss);
  return pullBack(subject, [loss], [fillLike(1, loss.node)], wrt, options.allowUnused ?? false);
}

function callWithGradients(
  subject: string,
  fn: (...args: never[]) => Tensor,
  args: Arguments,
  { argnums = 0, ...options }: GradFunctionOptions<number | readonly number[]>,
): ValueAndGradient<unknown> {
  const numbers = typeof argnums === "number" ? [argnums] : argnums;
  const separated = [...args];
  const variables = numbers.map((number) => {
    if (!Number.isInteger(number) || number < 0 || number >= args.length) {
      throw new AutodiffError(subject, `argnums ${number} names none of the ${args.length} arguments`);
    }
    const argument = args[number] as Tensors;
    const copy = unflatten(argument, flatten(subject, `argument ${number}`, argument).map(separate)) as Tensors;
    separated[number] = copy;
    return copy;
  });
  const value = fn(...(separated as never[]));
  checkLoss(subject, value);
  const flat = variables.flatMap((variable) => flatten(subject, "argument", variable));
  const gradients = gradOfValue(subject, value, flat, options);
  let used = 0;
  const structured = variables.map((variable) => {
    const size = flatten(subject, "argument", variable).length;
    used += size;
    return unflatten(variable, gradients.slice(used - size, used));
  });
  return { value, gradients: typeof argnums === "number" ? structured[0] : structured };
}

/**
 * Gradients of a scalar `loss` by `wrt`: a tensor or parameter, or a list or record of them; the result has the same
 * structure, each gradient the shape and dtype of its variable. The gradients are ordinary lazy tensors, so they can be
 * differentiated again.
 *
 * Given a function instead, the function that returns those gradients with respect to its argument (or arguments,
 * `argnums`).
 *
 * @throws AutodiffError for a loss of more than one element, for an integer or boolean variable, and for a variable the
 *   loss does not depend on, by name (unless `allowUnused`, which gives zeros)
 */
export function grad<T extends Tensors>(loss: Tensor, wrt: T, options?: GradOptions): Like<T>;
export function grad<A extends Arguments, const N extends number | readonly number[] = 0>(
  fn: (...args: A) => Tensor,
  options?: GradFunctionOptions<N>,
): (...args: A) => ArgumentGradients<A, N>;
export function grad(
  lossOrFunction: Tensor | ((...args: never[]) => Tensor),
  wrt: Tensors | GradFunctionOptions<number | readonly number[]> = {},
  options: GradOptions = {},
): unknown {
  if (typeof lossOrFunction !== "function") return gradOfValue("grad", lossOrFunction, wrt as Tensors, options);
  const functionOptions = wrt as GradFunctionOptions<number | readonly number[]>;
  return (...args: Arguments) => callWithGradients("grad", lossOrFunction, args, functionOptions).gradients;
}

/**
 * As `grad`, with the loss beside the gradients: `{ value, gradients }`. Given a function, the function that returns both.
 *
 * @throws AutodiffError as `grad`
 */
export function valueAndGrad<T extends Tensors>(loss: Tensor, wrt: T, options?: GradOptions): ValueAndGradient<Like<T>>;
export function valueAndGrad<A extends Arguments, const N extends number | readonly number[] = 0>(
  fn: (...args: A) => Tensor,
  options?: GradFunctionOptions<N>,
): (...args: A) => ValueAndGradient<ArgumentGradients<A, N>>;
export function valueAndGrad(
  lossOrFunction: Tensor | ((...args: never[]) => Tensor),
  wrt: Tensors | GradFunctionOptions<number | readonly number[]> = {},
  options: GradOptions = {},
): unknown {
  if (typeof lossOrFunction !== "function") {
    return {
      value: lossOrFunction,
      gradients: gradOfValue("valueAndGrad", lossOrFunction, wrt as Tensors, options),
    };
  }
  const functionOptions = wrt as GradFunctionOptions<number | readonly number[]>;
  return (...args: Arguments) => callWithGradients("valueAndGrad", lossOrFunction, args, functionOptions);
}
