/** The text of a body at several places of one thread: everything is loaded, then each place is computed and stored. */
import type { Instruction, Value } from "@thalweg/core/backend";
import { type BodyPlace, type SlotSource, writeBody } from "../source/index.ts";
import type { Parts } from "./elementwiseParts.ts";

export type IndexType = "int" | "long long";

/** What all places of a kernel have in common. */
export interface Surroundings {
  readonly parts: Parts;
  readonly slots: readonly SlotSource[];
  readonly index: IndexType;
  /** The variable that vectors lie along; undefined: there is none, and all widths are 1. */
  readonly vector: number | undefined;
}

/** One vector. */
export interface Point {
  /** Statements that define what `variables` names. They must stand for a place that exists even where `condition` does not hold. */
  readonly declarations: string;
  readonly variables: readonly string[];
  readonly width: number;
  /** Whether there is anything to do here; undefined: always. */
  readonly condition?: string;
  /** Values that are known by other means, per lane. */
  readonly known?: ReadonlyMap<Value, readonly string[]>;
}

type Known = Map<Value, readonly string[]>;

const placeOf = (
  { slots, index, vector }: Surroundings,
  { variables, width }: Pick<Point, "variables" | "width">,
  known: Known,
): BodyPlace => ({
  variables,
  slots,
  known,
  index,
  ...(vector !== undefined && width > 1 ? { vector: { variable: vector, width } } : {}),
});

/** What is the same everywhere; its names are added to `known`. */
export function writeInvariant(surroundings: Surroundings, rank: number, known: Known): string {
  const { invariant } = surroundings.parts;
  if (invariant.length === 0) return "";
  const variables = Array.from({ length: rank }, () => "0");
  return `${writeBody(invariant, placeOf(surroundings, { variables, width: 1 }, known), "h")}\n`;
}

/** `known`: what `writeInvariant` found. Names begin with `prefix`. */
export function writePoints(
  surroundings: Surroundings,
  points: readonly Point[],
  known: ReadonlyMap<Value, readonly string[]>,
  prefix: string,
): string {
  const { loads, rest } = surroundings.parts;
  const remaining = (body: readonly Instruction[], { known: here }: Point): readonly Instruction[] =>
    here ? body.filter(({ id }) => !here.has(id)) : body;
  const [before, after]: [string[], string[]] = [[], []];
  for (const [number, point] of points.entries()) {
    const place = placeOf(surroundings, point, new Map([...known, ...(point.known ?? [])]));
    before.push(point.declarations, writeBody(remaining(loads, point), place, `${prefix}l${number}_`), "\n");
    const statements = writeBody(remaining(rest, point), place, `${prefix}s${number}_`);
    after.push(`${point.condition === undefined ? "" : `if (${point.condition}) `}{\n${statements}\n}\n`);
  }
  return [...before, ...after].join("");
}
