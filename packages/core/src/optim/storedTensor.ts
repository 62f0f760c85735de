/** A tensor's value as plain data: what state dicts and checkpoints are made of. */
import { allocateHost, type DType, dtypes, type HostArray } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "../graph/shape.ts";
import type { Parameter } from "../tensor/parameter.ts";

export interface StoredTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  /** Row-major elements: bool as 0/1, 16-bit floats as their bit patterns. Plain lists are read, too. */
  readonly data: ArrayLike<number>;
}

/** A copy of the parameter's value. */
export async function storeTensor(parameter: Parameter): Promise<StoredTensor & { readonly data: HostArray }> {
  return { shape: parameter.shape, dtype: parameter.dtype, data: await parameter.storage.read() };
}

/**
 * Throws unless `stored` fits a tensor of `shape` and `dtype`: ShapeError, DTypeError, or ArgumentError for a list of
 * the wrong length. `name` says which tensor.
 */
export function checkStored(subject: string, name: string, stored: StoredTensor, shape: Shape, dtype: DType): void {
  if (!sameShape(stored.shape, shape)) {
    throw new ShapeError(subject, `${name} has shape ${formatShape(shape)}, got ${formatShape(stored.shape)}`);
  }
  if (stored.dtype !== dtype) throw new DTypeError(subject, `${name} is ${dtype}, got ${stored.dtype}`);
  if (stored.data.length !== sizeOf(shape)) {
    throw new ArgumentError(subject, `${name} has ${sizeOf(shape)} elements, got ${stored.data.length}`);
  }
}

/** The elements in the dtype's own typed array. */
export function hostArrayOf(stored: StoredTensor): HostArray {
  if (stored.data instanceof dtypes[stored.dtype].hostArray) return stored.data as HostArray;
  const host = allocateHost(stored.dtype, stored.data.length);
  host.set(stored.data);
  return host;
}

/**
 * Overwrites the parameter in place with a checked value. Unevaluated tensors built from the old value become invalid.
 */
export function restoreTensor(parameter: Parameter, stored: StoredTensor): void {
  const { storage } = parameter;
  storage.write(hostArrayOf(stored));
  storage.version++;
}
