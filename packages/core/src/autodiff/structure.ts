/** One tensor, a list or a record of them: what may be differentiated by, with the names errors use. */
import { isFloat } from "../graph/dtype.ts";
import { AutodiffError, ShapeError } from "../graph/errors.ts";
import type { Node } from "../graph/node.ts";
import { formatShape, sameShape } from "../graph/shape.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";

export type Tensors = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>>;

/** The same structure, of tensors. */
export type Like<T extends Tensors> = T extends Tensor ? Tensor : { -readonly [K in keyof T]: Tensor };

const isList = (tensors: Tensors): tensors is readonly Tensor[] => Array.isArray(tensors);

/** The tensors in order. Throws AutodiffError when something else is among them. */
export function flatten(subject: string, what: string, tensors: Tensors): Tensor[] {
  const list: unknown[] =
    tensors instanceof Tensor || typeof tensors !== "object" ? [tensors] : Object.values(tensors ?? [tensors]);
  return list.map((tensor) => {
    if (tensor instanceof Tensor) return tensor;
    throw new AutodiffError(subject, `${what} must be a tensor, or a list or record of tensors, got ${String(tensor)}`);
  });
}

/** `results`, one per flattened tensor, in the structure of `tensors`. */
export function unflatten<T extends Tensors>(tensors: T, results: readonly Tensor[]): Like<T> {
  if (tensors instanceof Tensor) return results[0] as Like<T>;
  if (isList(tensors)) return [...results] as unknown as Like<T>;
  return Object.fromEntries(Object.keys(tensors).map((key, i) => [key, results[i]])) as Like<T>;
}

/** How an error names a variable: a parameter by its name, anything else by its place and shape. */
export function describe(tensors: Tensors, index: number): string {
  const key = tensors instanceof Tensor ? "0" : (Object.keys(tensors)[index] as string);
  const tensor = tensors instanceof Tensor ? tensors : (Object.values(tensors)[index] as Tensor);
  const shape = `${tensor.dtype} of shape ${formatShape(tensor.shape)}`;
  if (tensor instanceof Parameter && tensor.name) return `parameter "${tensor.name}" (${shape})`;
  return `variable ${isList(tensors) || tensors instanceof Tensor ? key : `"${key}"`} (${shape})`;
}

/** Throws AutodiffError for an integer or boolean among `tensors`. */
export function checkFloats(subject: string, tensors: Tensors): void {
  flatten(subject, "variables", tensors).forEach((tensor, i) => {
    if (!isFloat(tensor.dtype)) {
      throw new AutodiffError(
        subject,
        `${describe(tensors, i)} is not differentiable; expected a floating-point dtype`,
      );
    }
  });
}

/** The nodes of `tensors`, after checking that they match `expected` one by one in number, shape and dtype. */
export function matchingNodes(subject: string, what: string, tensors: Tensors, expected: readonly Tensor[]): Node[] {
  const list = flatten(subject, what, tensors);
  if (list.length !== expected.length) {
    throw new AutodiffError(subject, `expected ${expected.length} ${what}, got ${list.length}`);
  }
  return list.map((tensor, i) => {
    const { shape, dtype } = expected[i] as Tensor;
    if (!sameShape(tensor.shape, shape)) {
      throw new ShapeError(
        subject,
        `${what} ${i}: expected shape ${formatShape(shape)}, got ${formatShape(tensor.shape)}`,
      );
    }
    if (tensor.dtype !== dtype) {
      throw new AutodiffError(subject, `${what} ${i}: expected dtype ${dtype}, got ${tensor.dtype}`);
    }
    return tensor.node;
  });
}
