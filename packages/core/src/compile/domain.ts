/** The iteration space of a kernel and where its members stand in it. */
import type { Node } from "../graph/node.ts";
import { type Shape, sizeOf } from "../graph/shape.ts";
import { type Coordinate, type Variable, VariableTable, zero } from "./coordinates.ts";
import { isReduce } from "./simplify.ts";

/** Axes of the full space; the reduced ones are inner loops, the others outer loops. */
export interface Domain {
  readonly shape: Shape;
  readonly reduced: readonly boolean[];
}

/** `outer`: one value per outer iteration. `full`: one per point of the space. `reduce`: from full to outer. */
export type Level = "outer" | "full" | "reduce";

export const domainOf = (unit: Node): Domain => {
  if (!isReduce(unit.op)) return { shape: unit.shape, reduced: unit.shape.map(() => false) };
  const { axes } = unit.attributes as { axes: readonly number[] };
  const { shape } = unit.inputs[0] as Node;
  return { shape, reduced: shape.map((_, axis) => axes.includes(axis)) };
};

export const outerShape = (domain: Domain): number[] => domain.shape.filter((_, i) => !domain.reduced[i]);
export const hasInner = (domain: Domain): boolean => domain.reduced.includes(true);

/** Variables for a domain. `factors` cuts axes into several loops; `keepUnits` makes variables for axes of size 1 too. */
export class Frame {
  readonly table = new VariableTable();
  readonly domain: Domain;
  readonly outer: Variable[] = [];
  readonly inner: Variable[] = [];
  readonly #coordinates: Coordinate[];
  readonly #innerSet = new Set<Variable>();
  readonly #outerOnly = new Map<Variable, boolean>();
  readonly #placements = new Map<Node, Placement | undefined>();
  /** Which axis, and which cut of it, a variable stands for. */
  readonly origin = new Map<Variable, { axis: number; factor: number }>();

  constructor(
    domain: Domain,
    factors: readonly (readonly number[])[] = domain.shape.map((n) => [n]),
    keepUnits = false,
  ) {
    this.domain = domain;
    this.#coordinates = domain.shape.map((_, axis) => {
      let coordinate: Coordinate = zero;
      for (const [factor, size] of (factors[axis] as readonly number[]).entries()) {
        if (coordinate !== zero) coordinate = this.table.scaled(coordinate, size);
        if (size === 1 && !keepUnits) continue;
        const variable = this.table.fresh(size);
        this.origin.set(variable, { axis, factor });
        if (domain.reduced[axis]) {
          this.inner.push(variable);
          this.#innerSet.add(variable);
        } else {
          this.outer.push(variable);
        }
        // Always 0: in a coordinate it would make two names of one place.
        if (size === 1) continue;
        const own: Coordinate = { offset: 0, terms: [{ variable, coefficient: 1 }] };
        if (coordinate === zero) coordinate = own;
        else {
          coordinate = this.table.sum([
            { coordinate, scale: 1 },
            { coordinate: own, scale: 1 },
          ]);
        }
      }
      return coordinate;
    });
  }

  /** Coordinates of the current point along every axis of the space. */
  axes(): readonly Coordinate[] {
    return this.#coordinates;
  }

  /** Whether a coordinate is the same for all inner iterations. */
  isOuter(coordinate: Coordinate): boolean {
    return coordinate.terms.every(({ variable }) => this.#variableIsOuter(variable));
  }

  #variableIsOuter(variable: Variable): boolean {
    let known = this.#outerOnly.get(variable);
    if (known === undefined) {
      if (variable.part) known = this.#variableIsOuter(variable.part.of);
      else if (variable.dynamic) known = variable.dynamic.at.every((c) => this.isOuter(c));
      else known = !this.#innerSet.has(variable);
      this.#outerOnly.set(variable, known);
    }
    return known;
  }

  #isInner(coordinate: Coordinate): boolean {
    const base = (v: Variable): Variable => (v.part ? base(v.part.of) : v);
    return coordinate.terms.every(({ variable }) => this.#innerSet.has(base(variable)));
  }

  /** Where a unit's elements are computed in this space; undefined when it does not fit. */
  place(unit: Node): Placement | undefined {
    if (!this.#placements.has(unit)) this.#placements.set(unit, this.#place(unit));
    return this.#placements.get(unit);
  }

  #place(unit: Node): Placement | undefined {
    const { domain, table } = this;
    const outer = outerShape(domain);
    const outerCoordinates = this.#coordinates.filter((_, i) => !domain.reduced[i]);
    if (isReduce(unit.op)) {
      const { axes } = unit.attributes as { axes: readonly number[] };
      const { shape } = unit.inputs[0] as Node;
      if (sizeOf(shape) !== sizeOf(domain.shape) || sizeOf(unit.shape) !== sizeOf(outer)) return undefined;
      const source = table.reshape(domain.shape, shape, this.#coordinates);
      const matches = source?.every((c, axis) => (axes.includes(axis) ? this.#isInner(c) : this.isOuter(c)));
      if (!source || !matches) return undefined;
      const own = source.filter((_, axis) => !axes.includes(axis));
      return { level: "reduce", source, own, position: table.linear(unit.shape, own) };
    }
    const size = sizeOf(unit.shape);
    const full = size === sizeOf(domain.shape);
    if (!full && (!hasInner(domain) || size !== sizeOf(outer))) return undefined;
    const own = full
      ? table.reshape(domain.shape, unit.shape, this.#coordinates)
      : table.reshape(outer, unit.shape, outerCoordinates);
    if (!own) return undefined;
    return { level: full ? "full" : "outer", source: own, own, position: table.linear(unit.shape, own) };
  }
}

export interface Placement {
  readonly level: Level;
  /** Coordinates at which the unit's expression is evaluated: of its input for a reduction, its own otherwise. */
  readonly source: readonly Coordinate[];
  /** Coordinates of the unit's own element. */
  readonly own: readonly Coordinate[];
  /** Linear position of the unit's own element. */
  readonly position: Coordinate;
}
