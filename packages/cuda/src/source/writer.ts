/** Statements of a body as they are put together, and the names of what they define. */
import type { Value } from "@thalweg/core/backend";
import type { BodyPlace } from "./place.ts";

/**
 * Lanes of int32 values that are neighbours, the first a multiple of 4 or of the number of lanes; by the names, which one
 * body may hand to the next.
 */
export const sequences = new WeakSet<readonly string[]>();

const atom = /^[\w.]+$/;

export class Writer {
  readonly place: BodyPlace;
  readonly lines: string[] = [];
  /** Lanes a thread computes. */
  readonly width: number;
  /** The variable lanes lie along; -1: none. */
  readonly variable: number;
  readonly #prefix: string;
  #count = 0;
  /** Names by the text they stand for: of what never changes. */
  readonly #bound = new Map<string, string>();
  /** Lanes of loads that would give the same again; those of memory that is written are forgotten at each store. */
  readonly constantLoads = new Map<string, readonly string[]>();
  readonly changingLoads = new Map<string, readonly string[]>();

  constructor(place: BodyPlace, prefix: string) {
    this.place = place;
    this.#prefix = prefix;
    this.width = place.vector?.width ?? 1;
    this.variable = this.width > 1 ? (place.vector?.variable as number) : -1;
  }

  /** A name that the body has not used. */
  fresh(kind: string): string {
    return `${this.#prefix}${kind}${this.#count++}`;
  }

  /** Name of a value, by lane where lanes differ. */
  nameOf(value: Value, lane?: number): string {
    return lane === undefined ? `${this.#prefix}${value}` : `${this.#prefix}${value}_${lane}`;
  }

  /** A name for an expression that gives the same wherever it stands; an atom is its own. */
  bind(type: string, text: string, kind: string): string {
    if (atom.test(text)) return text;
    let name = this.#bound.get(text);
    if (name === undefined) {
      name = this.fresh(kind);
      this.#bound.set(text, name);
      this.lines.push(`const ${type} ${name} = ${text};`);
    }
    return name;
  }

  lanesOf(value: Value): readonly string[] {
    const lanes = this.place.known.get(value);
    if (lanes === undefined) throw new TypeError(`value ${value} is not known here`);
    return lanes;
  }

  lane(value: Value, lane: number): string {
    const lanes = this.lanesOf(value);
    return (lanes.length === 1 ? lanes[0] : lanes[lane]) as string;
  }

  varies(value: Value): boolean {
    return this.lanesOf(value).length > 1;
  }

  /** Defines `value` by an expression: per lane, or once when all are the same. */
  define(value: Value, type: string, varies: boolean, text: (lane: number) => string): void {
    const lanes: string[] = [];
    const count = varies ? this.width : 1;
    for (let lane = 0; lane < count; lane++) {
      const name = this.nameOf(value, count > 1 ? lane : undefined);
      this.lines.push(`const ${type} ${name} = ${text(lane)};`);
      lanes.push(name);
    }
    this.place.known.set(value, lanes);
  }

  /** Condition for a lane to exist; undefined where all do. */
  exists(lane: number): string | undefined {
    return this.place.count === undefined ? undefined : `${lane} < ${this.place.count}`;
  }

  stride(strides: readonly number[]): number {
    return this.variable < 0 ? 0 : (strides[this.variable] as number);
  }
}
