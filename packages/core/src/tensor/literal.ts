/** Tensors from what JavaScript already holds: numbers, nested lists, typed arrays. */
import { allocateHost, checkDType, type DType, dtypes, encode, type HostArray } from "../graph/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../graph/errors.ts";
import { makeNode } from "../graph/node.ts";
import { checkShape, formatShape, type Shape, sizeOf } from "../graph/shape.ts";
import { Storage } from "../runtime/storage.ts";
import { type NestedArray, Tensor } from "./tensor.ts";

/** A typed array whose elements are numbers. */
export type NumericArray = HostArray | Int8Array | Uint8ClampedArray | Int16Array;

/** What `tensor` takes. */
export type Literal = number | boolean | readonly (NestedArray | Literal)[] | NumericArray;

export interface TensorOptions {
  /** Default: bool for booleans, the array's own type for typed arrays (bytes and 16-bit integers become int32), else float32. */
  dtype?: DType | undefined;
  /** Default: the nesting of the lists. */
  shape?: Shape | undefined;
}

export const isNumericArray = (value: unknown): value is NumericArray =>
  ArrayBuffer.isView(value) && !(value instanceof DataView) && typeof (value as HostArray)[0] !== "bigint";

function shapeOf(subject: string, value: Literal | NestedArray): number[] {
  const shape: number[] = [];
  for (let level: unknown = value; ; level = (level as readonly unknown[])[0]) {
    if (isNumericArray(level)) {
      shape.push(level.length);
      return shape;
    }
    if (!Array.isArray(level)) return shape;
    shape.push(level.length);
    if (shape.length > 8) throw new ShapeError(subject, "lists are nested more than 8 deep");
  }
}

function flatten(subject: string, value: unknown, shape: Shape, axis: number, out: (number | boolean)[]): void {
  if (axis === shape.length) {
    if (typeof value !== "number" && typeof value !== "boolean") {
      const found = Array.isArray(value) ? "a list" : String(value);
      throw new ArgumentError(
        subject,
        `expected a number or boolean at depth ${axis} of ${formatShape(shape)}, got ${found}`,
      );
    }
    out.push(value);
    return;
  }
  if (!(Array.isArray(value) || isNumericArray(value)) || value.length !== shape[axis]) {
    const found = Array.isArray(value) || isNumericArray(value) ? `a list of ${value.length}` : String(value);
    throw new ShapeError(subject, `lists are ragged: expected a list of ${shape[axis]} at depth ${axis}, got ${found}`);
  }
  for (const element of value as ArrayLike<unknown> & Iterable<unknown>)
    flatten(subject, element, shape, axis + 1, out);
}

function dtypeOfArray(array: NumericArray): DType {
  if (array instanceof Float64Array) return "float64";
  if (array instanceof Float32Array) return "float32";
  if (array instanceof Uint32Array) return "uint32";
  return "int32";
}

/**
 * A tensor of `host`'s elements without a copy: the array now belongs to the tensor and must not be written to. It must be
 * of the dtype's own host type (16-bit floats as bit patterns in a Uint16Array, bool as 0/1 in a Uint8Array) and hold
 * exactly the shape's elements.
 */
export function fromHost(host: HostArray, shape: Shape, dtype: DType): Tensor {
  checkDType("fromHost", dtype);
  checkShape("fromHost", shape);
  if (!(host instanceof dtypes[dtype].hostArray)) {
    throw new DTypeError(
      "fromHost",
      `${dtype} is held in a ${dtypes[dtype].hostArray.name}, got a ${host.constructor.name}`,
    );
  }
  if (host.length !== sizeOf(shape)) {
    throw new ShapeError(
      "fromHost",
      `${formatShape(shape)} has ${sizeOf(shape)} elements, the array has ${host.length}`,
    );
  }
  const own = [...shape];
  return new Tensor(makeNode("data", [], { source: Storage.fromHost(host, own, dtype) }, own, dtype));
}

/**
 * A tensor of the given values, which are copied. Numbers become float32 and booleans bool unless `dtype` says otherwise
 * (as in JavaScript, whole numbers are no type of their own); a typed array keeps its type; a list that mixes booleans
 * and numbers is float32. Throws ShapeError when lists are ragged or the values do not fill `shape`.
 *
 * tensor([[1, 2], [3, 4]]) is float32 [2, 2]; tensor(3) is a scalar; tensor(bytes, { shape: [28, 28] }) is int32 [28, 28].
 */
export function tensor(values: Literal, { dtype, shape }: TensorOptions = {}): Tensor {
  const subject = "tensor";
  if (dtype !== undefined) checkDType(subject, dtype);
  let flat: ArrayLike<number | boolean>;
  let natural: number[];
  if (isNumericArray(values)) {
    natural = [values.length];
    flat = values;
  } else {
    natural = shapeOf(subject, values);
    const out: (number | boolean)[] = [];
    flatten(subject, values, natural, 0, out);
    flat = out;
  }
  const type =
    dtype ??
    (isNumericArray(values)
      ? dtypeOfArray(values)
      : flat.length > 0 && (flat as (number | boolean)[]).every((value) => typeof value === "boolean")
        ? "bool"
        : "float32");
  const target = shape === undefined ? natural : [...shape];
  checkShape(subject, target);
  if (sizeOf(target) !== flat.length) {
    throw new ShapeError(subject, `${formatShape(target)} has ${sizeOf(target)} elements, got ${flat.length} values`);
  }
  const host = allocateHost(type, flat.length);
  if (flat instanceof dtypes[type].hostArray && type !== "bool" && !(type === "bfloat16" || type === "float16"))
    host.set(flat);
  else
    for (let i = 0; i < flat.length; i++)
      encode(type, host, i, type === "bool" ? Number(flat[i] !== 0 && flat[i] !== false) : Number(flat[i]));
  return fromHost(host, target, type);
}
