/**
 * Where, in terms of a kernel's loop variables, an element of a view lies. A coordinate is an affine function of
 * variables; reshapes that cut a variable in two are kept as quotient and remainder parts, which cancel when the pieces
 * are put together again, so that a flattened and restored axis costs nothing.
 */
import type { Node } from "../graph/node.ts";
import { contiguousStrides, type Shape, sameShape, sizeOf } from "../graph/shape.ts";

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

/** Whether two coordinates of one table are the same. */
export function sameCoordinate(a: Coordinate, b: Coordinate): boolean {
  if (a === b) return true;
  if (a.offset !== b.offset || a.terms.length !== b.terms.length) return false;
  for (let i = 0; i < a.terms.length; i++) {
    const [left, right] = [a.terms[i] as Term, b.terms[i] as Term];
    if (left.variable !== right.variable || left.coefficient !== right.coefficient) return false;
  }
  return true;
}

export function sameCoordinates(a: readonly Coordinate[], b: readonly Coordinate[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameCoordinate(a[i] as Coordinate, b[i] as Coordinate)) return false;
  return true;
}

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

interface Parts {
  readonly quotient: Variable;
  readonly remainder: Variable;
}

/** A coordinate in the making. Terms stand in the order in which they came. */
class Sum {
  offset: number;
  readonly variables: Variable[] = [];
  readonly coefficients: number[] = [];
  hasParts = false;

  constructor(offset: number) {
    this.offset = offset;
  }

  add({ offset, terms }: Coordinate, scale: number): void {
    this.offset += offset * scale;
    for (let i = 0; i < terms.length; i++) {
      const { variable, coefficient } = terms[i] as Term;
      this.addTerm(variable, coefficient * scale);
    }
  }

  addTerm(variable: Variable, coefficient: number): void {
    const at = this.variables.indexOf(variable);
    if (at >= 0) {
      (this.coefficients[at] as number) += coefficient;
      return;
    }
    this.variables.push(variable);
    this.coefficients.push(coefficient);
    if (variable.part) this.hasParts = true;
  }

  remove(variable: Variable): void {
    const at = this.variables.indexOf(variable);
    this.variables.splice(at, 1);
    this.coefficients.splice(at, 1);
  }
}

/** The variables of one kernel, its parts interned so that equal coordinates have equal keys. */
export class VariableTable {
  #nextId = 0;
  readonly #parts = new Map<Variable, Map<number, Parts>>();
  readonly #dynamic = new Map<string, Variable>();
  /** Lists of coordinates are passed on from node to node of the same shape, and asked about at each. */
  readonly #linear = new Map<readonly Coordinate[], { readonly shape: Shape; readonly position: Coordinate }>();

  fresh(size: number): Variable {
    return { id: this.#nextId++, size };
  }

  parts(of: Variable, divisor: number): Parts {
    let known = this.#parts.get(of);
    if (!known) {
      known = new Map();
      this.#parts.set(of, known);
    }
    let pair = known.get(divisor);
    if (!pair) {
      const part = { of, divisor };
      pair = {
        quotient: { id: this.#nextId++, size: of.size / divisor, part },
        remainder: { id: this.#nextId++, size: divisor, part },
      };
      known.set(divisor, pair);
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
    const total = new Sum(offset);
    for (const { coordinate, scale } of parts) total.add(coordinate, scale);
    return this.#canonical(total);
  }

  /** What is canonical stays so: scale·quotient and scale·remainder go together exactly when the two did before. */
  scaled(coordinate: Coordinate, scale: number, offset = 0): Coordinate {
    if (scale === 0) return { offset, terms: [] };
    if (scale === 1 && offset === 0) return coordinate;
    const { terms } = coordinate;
    return {
      offset: offset + coordinate.offset * scale,
      terms: scale === 1 ? terms : terms.map((t) => ({ variable: t.variable, coefficient: t.coefficient * scale })),
    };
  }

  /** Puts quotient·d + remainder together again, innermost parts first. */
  #canonical(sum: Sum): Coordinate {
    const { offset, variables, coefficients } = sum;
    if (sum.hasParts) while (this.#joinParts(sum));
    const terms: Term[] = [];
    for (let i = 0; i < variables.length; i++) {
      const term = { variable: variables[i] as Variable, coefficient: coefficients[i] as number };
      if (term.coefficient === 0) continue;
      let at = terms.length;
      while (at > 0 && (terms[at - 1] as Term).variable.id > term.variable.id) at--;
      if (at === terms.length) terms.push(term);
      else terms.splice(at, 0, term);
    }
    return { offset, terms };
  }

  /** Replaces one pair of quotient·d and remainder by what they are parts of; false when there is none. */
  #joinParts(sum: Sum): boolean {
    const { variables, coefficients } = sum;
    for (let i = 0; i < variables.length; i++) {
      const variable = variables[i] as Variable;
      const coefficient = coefficients[i] as number;
      if (!variable.part || coefficient === 0) continue;
      const { of, divisor } = variable.part;
      const { quotient, remainder } = this.parts(of, divisor);
      if (variable !== remainder || coefficients[variables.indexOf(quotient)] !== coefficient * divisor) continue;
      sum.remove(quotient);
      sum.remove(remainder);
      sum.addTerm(of, coefficient);
      return true;
    }
    return false;
  }

  /** Coordinate of the element in the row-major order of `shape`. */
  linear(shape: Shape, coordinates: readonly Coordinate[]): Coordinate {
    if (shape.length === 0) return zero;
    if (shape.length === 1) return coordinates[0] as Coordinate;
    const known = this.#linear.get(coordinates);
    if (known && sameShape(known.shape, shape)) return known.position;
    const strides = contiguousStrides(shape);
    const total = new Sum(0);
    for (let axis = 0; axis < shape.length; axis++) {
      total.add(coordinates[axis] as Coordinate, strides[axis] as number);
    }
    const position = this.#canonical(total);
    this.#linear.set(coordinates, { shape, position });
    return position;
  }

  /**
   * Coordinates in `to` of the element that has `coordinates` in `from`, both of the same size; undefined where that is
   * not affine in variables or their parts.
   */
  reshape(from: Shape, to: Shape, coordinates: readonly Coordinate[]): readonly Coordinate[] | undefined {
    if (sizeOf(from) === 0) return to.map(() => zero);
    if (sameShape(from, to)) return coordinates;
    const result: Coordinate[] = [];
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
      if (i === fromStart + 1 && j === toStart + 1) {
        result.push(coordinates[fromStart] as Coordinate);
        continue;
      }
      const linear = this.linear(from.slice(fromStart, i), coordinates.slice(fromStart, i));
      const pieces = this.#split(linear, to.slice(toStart, j));
      if (!pieces) return undefined;
      for (const piece of pieces) result.push(piece);
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
    const whole = Math.floor(coordinate.offset / size);
    const quotient = new Sum(whole);
    const remainder = new Sum(coordinate.offset - whole * size);
    for (const { variable, coefficient } of coordinate.terms) {
      if (coefficient % size === 0) {
        quotient.addTerm(variable, coefficient / size);
        continue;
      }
      const divisor = size / coefficient;
      if (coefficient > 0 && Number.isInteger(divisor) && variable.size > divisor) {
        if (variable.size % divisor !== 0 || variable.dynamic) return undefined;
        const parts = this.parts(variable, divisor);
        quotient.addTerm(parts.quotient, 1);
        remainder.addTerm(parts.remainder, coefficient);
      } else {
        remainder.addTerm(variable, coefficient);
      }
    }
    const cut = this.#canonical(remainder);
    const { min, max } = rangeOf(cut);
    if (min < 0 || max >= size) return undefined;
    return { quotient: this.#canonical(quotient), remainder: cut };
  }
}
