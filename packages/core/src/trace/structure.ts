/** Arguments and results of compiled functions: tensors anywhere inside plain lists and objects. */
import { Tensor } from "../tensor/tensor.ts";

/** A record written as `{ … }`. */
export const isPlain = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/** The same structure with every tensor replaced by `map` of it. */
export function mapTensors(value: unknown, map: (tensor: Tensor) => unknown): unknown {
  if (value instanceof Tensor) return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTensors(item, map));
  if (isPlain(value)) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, mapTensors(v, map)]));
  return value;
}

/** Tensors in the order `mapTensors` meets them. */
export function tensorsIn(value: unknown): Tensor[] {
  const found: Tensor[] = [];
  mapTensors(value, (tensor) => found.push(tensor));
  return found;
}
