/**
 * Where, in terms of a kernel's loop variables, an element of a view lies. A coordinate is an affine function of
 * variables; reshapes that cut a variable in two are kept as quotient and remainder parts, which cancel when the pieces
 * are put together again, so that a flattened and restored axis costs nothing.
 */
import type { Node } from "../graph/node.ts";
import { contiguousStrides, type Shape, sizeOf } from "../graph/shape.ts";

export interface Variable {
  readonly id: number;
  /** Takes the values 0 … size-1. */
  readonly size: number;
  /** Quotient or remainder of another variable. */
  readonly part?: { readonly of: Variable; readonly divisor: number };
  /** The value of an integer node at some coordinates: a gathered index. */
  readonly dynamic?: { readonly node: Node; readonly at: readonly Coordinate[] };
}

export interface Term {
  readonly variable: Variable;
  readonly coefficient: number;
}

export interface Coordinate {
  readonly offset: number;
  /** Sorted by variable, no variable twice, no coefficient 0. */
  readonly terms: readonly Term[];
}

/** lo ≤ coordinate < hi. */
export interface Bound {
  readonly coordinate: Coordinate;
  readonly lo: number;
  readonly hi: number;
}

export const zero: Coordinate = { offset: 0, terms: [] };

export const keyOf = (coordinate: Coordinate): string =>
  coordinate.offset + coordinate.terms.map((t) => `+${t.coefficient}v${t.variable.id}`).join("");
export const keysOf = (coordinates: readonly Coordinate[]): string => coordinates.map(keyOf).join(",");
export const boundKey = (b: Bound): string => `${keyOf(b.coordinate)}[${b.lo},${b.hi})`;

/** Smallest and largest value a coordinate takes. */
export function rangeOf({ offset, terms }: Coordinate): { min: number; max: number } {
  let min = offset;
  let max = offset;
  for (const { variable, coefficient } of terms) {
    const reach = coefficient * (variable.size - 1);
    if (reach < 0) min += reach;
    else max += reach;
  }
  return { min, max };
}

/** The strides at which each loop variable is cut. */
export type Cuts = Map<Variable, Set<number>>;

/** Whether loops can be cut at all these strides at once: each a multiple of every finer one. */
export function areNested(cuts: Cuts): boolean {
  for (const strides of cuts.values()) {
    const sorted = [...strides].sort((a, b) => a - b);
    if (sorted.some((stride, i) => i > 0 && stride % (sorted[i - 1] as number) !== 0)) return false;
  }
  return true;
}

/** The variables of one kernel, its parts interned so that equal coordinates have equal keys. */
export class VariableTable {
  #nextId = 0;
  readonly #parts = new Map<string, { quotient: Variable; remainder: Variable }>();
  readonly #dynamic = new Map<string, Variable>();

  fresh(size: number): Variable {
    return { id: this.#nextId++, size };
  }

  parts(of: Variable, divisor: number): { quotient: Variable; remainder: Variable } {
    const key = `${of.id}/${divisor}`;
    let pair = this.#parts.get(key);
    if (!pair) {
      const part = { of, divisor };
      pair = {
        quotient: { id: this.#nextId++, size: of.size / divisor, part },
        remainder: { id: this.#nextId++, size: divisor, part },
      };
      this.#parts.set(key, pair);
    }
    return pair;
  }

  /** Adds the cuts that the parts in `coordinate` stand for. */
  cuts({ terms }: Coordinate, into: Cuts): void {
    for (const { variable } of terms) this.#cut(variable, into);
  }

  /** The loop variable that `variable` is a part of, and how far apart there two values of `variable` are. */
  #cut(variable: Variable, into: Cuts): { root: Variable; stride: number } {
    if (!variable.part) return { root: variable, stride: 1 };
    const { of, divisor } = variable.part;
    const { root, stride } = this.#cut(of, into);
    const cut = stride * divisor;
    into.set(root, (into.get(root) ?? new Set()).add(cut));
    return { root, stride: this.parts(of, divisor).quotient === variable ? cut : stride };
  }

  dynamic(node: Node, at: readonly Coordinate[], size: number): Variable {
    const key = `${node.id}@${keysOf(at)}/${size}`;
    let variable = this.#dynamic.get(key);
    if (!variable) {
      variable = { id: this.#nextId++, size, dynamic: { node, at } };
      this.#dynamic.set(key, variable);
    }
    return variable;
  }

  /** Σ scale·coordinate + offset in canonical form. */
  sum(parts: readonly { readonly coordinate: Coordinate; readonly scale: number }[], offset = 0): Coordinate {
    let total = offset;
    const coefficients = new Map<Variable, number>();
    for (const { coordinate, scale } of parts) {
      total += coordinate.offset * scale;
      for (const { variable, coefficient } of coordinate.terms) {
        coefficients.set(variable, (coefficients.get(variable) ?? 0) + coefficient * scale);
      }
    }
    return this.#canonical(total, coefficients);
  }

  scaled(coordinate: Coordinate, scale: number, offset = 0): Coordinate {
    return this.sum([{ coordinate, scale }], offset);
  }

  /** Puts quotient·d + remainder together again, innermost parts first. */
  #canonical(offset: number, coefficients: Map<Variable, number>): Coordinate {
    for (;;) {
      let joined = false;
      for (const [variable, coefficient] of coefficients) {
        if (!variable.part || coefficient === 0) continue;
        const { of, divisor } = variable.part;
        const { quotient, remainder } = this.parts(of, divisor);
        if (variable !== remainder || coefficients.get(quotient) !== coefficient * divisor) continue;
        coefficients.delete(quotient);
        coefficients.delete(remainder);
        coefficients.set(of, (coefficients.get(of) ?? 0) + coefficient);
        joined = true;
        break;
      }
      if (!joined) break;
    }
    const terms = [...coefficients]
      .filter(([, coefficient]) => coefficient !== 0)
      .map(([variable, coefficient]) => ({ variable, coefficient }))
      .sort((a, b) => a.variable.id - b.variable.id);
    return { offset, terms };
  }

  /** Coordinate of the element in the row-major order of `shape`. */
  linear(shape: Shape, coordinates: readonly Coordinate[]): Coordinate {
    const strides = contiguousStrides(shape);
    return this.sum(coordinates.map((coordinate, i) => ({ coordinate, scale: strides[i] as number })));
  }

  /**
   * Coordinates in `to` of the element that has `coordinates` in `from`, both of the same size; undefined where that is
   * not affine in variables or their parts.
   */
  reshape(from: Shape, to: Shape, coordinates: readonly Coordinate[]): Coordinate[] | undefined {
    if (sizeOf(from) === 0) return to.map(() => zero);
    const result = new Array<Coordinate>(to.length).fill(zero);
    let i = 0;
    let j = 0;
    while (i < from.length || j < to.length) {
      const fromStart = i;
      const toStart = j;
      let fromSize = i < from.length ? (from[i++] as number) : 1;
      let toSize = j < to.length ? (to[j++] as number) : 1;
      while (fromSize !== toSize) {
        if (fromSize < toSize) fromSize *= from[i++] as number;
        else toSize *= to[j++] as number;
      }
      const linear = this.linear(from.slice(fromStart, i), coordinates.slice(fromStart, i));
      const pieces = this.#split(linear, to.slice(toStart, j));
      if (!pieces) return undefined;
      for (const [k, piece] of pieces.entries()) result[toStart + k] = piece;
    }
    return result;
  }

  #split(linear: Coordinate, sizes: Shape): Coordinate[] | undefined {
    const pieces: Coordinate[] = [];
    let rest = linear;
    for (let axis = sizes.length - 1; axis > 0; axis--) {
      const cut = this.#divide(rest, sizes[axis] as number);
      if (!cut) return undefined;
      pieces.unshift(cut.remainder);
      rest = cut.quotient;
    }
    if (sizes.length > 0) pieces.unshift(rest);
    return pieces;
  }

  /** coordinate = quotient·size + remainder with 0 ≤ remainder < size. */
  #divide(coordinate: Coordinate, size: number): { quotient: Coordinate; remainder: Coordinate } | undefined {
    if (size === 1) return { quotient: coordinate, remainder: zero };
    const quotient = new Map<Variable, number>();
    const remainder = new Map<Variable, number>();
    for (const { variable, coefficient } of coordinate.terms) {
      if (coefficient % size === 0) {
        quotient.set(variable, coefficient / size);
        continue;
      }
      const divisor = size / coefficient;
      if (coefficient > 0 && Number.isInteger(divisor) && variable.size > divisor) {
        if (variable.size % divisor !== 0 || variable.dynamic) return undefined;
        const parts = this.parts(variable, divisor);
        quotient.set(parts.quotient, 1);
        remainder.set(parts.remainder, coefficient);
      } else {
        remainder.set(variable, coefficient);
      }
    }
    const whole = Math.floor(coordinate.offset / size);
    const cut = this.#canonical(coordinate.offset - whole * size, remainder);
    const { min, max } = rangeOf(cut);
    if (min < 0 || max >= size) return undefined;
    return { quotient: this.#canonical(whole, quotient), remainder: cut };
  }
}
