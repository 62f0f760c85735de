/** Tensors of a rule: filled, counted, spaced. Nothing is computed or stored until it is used. */
import { allocateHost, checkDType, type DType, encode, isFloat, isInteger } from "../graph/dtype.ts";
import { ArgumentError } from "../graph/errors.ts";
import { checkShape, type Shape } from "../graph/shape.ts";
import { asTensor, broadcastTo, castTo, constant, type TensorLike } from "./convert.ts";
import { add, equal, mul } from "./elementwise.ts";
import { fromHost } from "./literal.ts";
import type { Tensor } from "./tensor.ts";
import { iotaAlong } from "./views.ts";

export { fromHost, tensor } from "./literal.ts";

export interface CreationOptions {
  /** Default float32, unless said otherwise. */
  dtype?: DType | undefined;
}

/** `value` everywhere; bool for a boolean. */
export function full(shape: Shape, value: number | boolean, { dtype }: CreationOptions = {}): Tensor {
  checkShape("full", shape);
  const type = dtype ?? (typeof value === "boolean" ? "bool" : "float32");
  checkDType("full", type);
  return broadcastTo(constant(value, type), shape);
}

export const zeros = (shape: Shape, { dtype = "float32" }: CreationOptions = {}): Tensor => full(shape, 0, { dtype });
export const ones = (shape: Shape, { dtype = "float32" }: CreationOptions = {}): Tensor => full(shape, 1, { dtype });

/** `value` with the shape of x, and its dtype unless another is given. */
export function fullLike(x: TensorLike, value: number | boolean, { dtype }: CreationOptions = {}): Tensor {
  const t = asTensor(x);
  return full(t.shape, value, { dtype: dtype ?? t.dtype });
}
export const zerosLike = (x: TensorLike, options: CreationOptions = {}): Tensor => fullLike(x, 0, options);
export const onesLike = (x: TensorLike, options: CreationOptions = {}): Tensor => fullLike(x, 1, options);

function fromRule(subject: string, size: number, dtype: DType, value: (i: number) => number): Tensor {
  checkShape(subject, [size]);
  const host = allocateHost(dtype, size);
  for (let i = 0; i < size; i++) encode(dtype, host, i, value(i));
  return fromHost(host, [size], dtype);
}

/**
 * start, start + step … before end; `arange(n)` counts from 0. int32 when all three are whole, else float32, unless `dtype`
 * says otherwise. Every element is start + i·step in float64, rounded once.
 */
export function arange(start: number, end?: number | null, step = 1, { dtype }: CreationOptions = {}): Tensor {
  const [from, to] = end === undefined || end === null ? [0, start] : [start, end];
  if (![from, to, step].every(Number.isFinite) || step === 0) {
    throw new ArgumentError("arange", `expected finite bounds and a step other than 0, got ${from}, ${to}, ${step}`);
  }
  const size = Math.max(0, Math.ceil((to - from) / step));
  const whole = [from, to, step].every(Number.isInteger);
  const type = dtype ?? (whole ? "int32" : "float32");
  checkDType("arange", type);
  checkShape("arange", [size]);
  if (whole && isInteger(type)) {
    const scaled = step === 1 ? iotaAlong(size, 0, 1) : mul(iotaAlong(size, 0, 1), constant(step, "int32"));
    const shifted = from === 0 ? scaled : add(scaled, constant(from, "int32"));
    if (type === "int32" || from >= 0) return castTo(shifted, type);
  }
  return fromRule("arange", size, type, (i) => from + i * step);
}

/** `count` numbers from start to end, both included, equally spaced. */
export function linspace(
  start: number,
  end: number,
  count: number,
  { dtype = "float32" }: CreationOptions = {},
): Tensor {
  checkDType("linspace", dtype);
  if (!Number.isInteger(count) || count < 0)
    throw new ArgumentError("linspace", `expected a whole count, got ${count}`);
  if (!isFloat(dtype) && !isInteger(dtype))
    throw new ArgumentError("linspace", `expected a number dtype, got ${dtype}`);
  const step = count > 1 ? (end - start) / (count - 1) : 0;
  // From whichever end is nearer, as PyTorch: both ends exact.
  return fromRule("linspace", count, dtype, (i) =>
    i < count / 2 ? start + i * step : count === 1 ? start : end - (count - 1 - i) * step,
  );
}

/** [rows, columns] with ones on the main diagonal. `columns` defaults to `rows`. */
export function eye(rows: number, columns: number = rows, { dtype = "float32" }: CreationOptions = {}): Tensor {
  checkShape("eye", [rows, columns]);
  checkDType("eye", dtype);
  return castTo(equal(iotaAlong(rows, 0, 2), iotaAlong(columns, 1, 2)), dtype);
}
