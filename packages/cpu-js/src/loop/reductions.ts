/** Reductions in generated code: how an accumulator starts, takes a value, and joins another. */
import { type Instruction, reduceIdentity } from "@thalweg/core/backend";
import type { Located } from "../place.ts";
import { asNumber, choice, literal, rounded, wrap } from "../scalarSource.ts";
import type { Scope } from "../scope.ts";

export type Reduction = Extract<Instruction, { op: "reduce" }>;

/** Names of what one reduction keeps while it runs. */
export interface Accumulator {
  readonly reduction: Reduction;
  /** The value (of the extreme so far, for argMax and argMin); one per copy of an unrolled body. */
  readonly parts: readonly string[];
  /** Position of the extreme. */
  readonly position: string | undefined;
}

export const findsPosition = ({ fn }: Reduction): boolean => fn === "argMax" || fn === "argMin";

/** What reducing nothing gives. */
export function emptyValue({ fn, dtype }: Reduction): number {
  return reduceIdentity(fn, dtype);
}

/** Bool accumulators are numbers, 0 or 1. */
function identity(reduction: Reduction): string {
  if (reduction.fn === "argMax") return "-Infinity";
  return reduction.fn === "argMin" ? "Infinity" : literal(emptyValue(reduction));
}

export function declare({ reduction, parts, position }: Accumulator): string {
  const names = parts.map((part) => `${part} = ${identity(reduction)}`);
  if (position !== undefined) names.push(`${position} = 0`);
  return `let ${names.join(", ")};`;
}

/** `a` combined with `b`, both expressions of the reduction's dtype. */
function combined({ fn, dtype }: Reduction, a: string, b: string): string {
  const integer = dtype === "int32" || dtype === "uint32";
  switch (fn) {
    case "sum":
      return integer ? wrap(dtype, `(${a} + ${b})`) : `${a} + ${b}`;
    case "prod":
      return integer ? wrap(dtype, `Math.imul(${a}, ${b})`) : `${a} * ${b}`;
    case "max":
      return dtype === "bool" ? `${a} | ${b}` : `Math.max(${a}, ${b})`;
    case "min":
      return dtype === "bool" ? `${a} & ${b}` : `Math.min(${a}, ${b})`;
    default:
      return a;
  }
}

/** The statement that takes `value`, at row-major position `at` of the inner space. */
export function accumulate(
  { reduction, parts, position }: Accumulator,
  part: number,
  value: Located,
  at: string,
): string {
  const name = parts[part] as string;
  if (position === undefined) return `${name} = ${combined(reduction, name, asNumber(value))};`;
  const x = value.dtype === "bool" ? asNumber(value) : rounded(value);
  const sign = reduction.fn === "argMax" ? ">" : "<";
  // A NaN is most extreme, the first of them stays.
  return `{ const x = ${x}; if (x ${sign} ${name} || (x !== x && ${name} === ${name})) { ${name} = x; ${position} = ${at}; } }`;
}

/** Whether `extremeOfFew` can take values like this. */
export function branchesOnValues({ fn, dtype }: Reduction, value: Located): boolean {
  if (fn === "argMax" || fn === "argMin") return value.dtype !== "bool";
  return (fn === "max" || fn === "min") && (dtype === "float32" || dtype === "float64");
}

/**
 * The extreme of a few values, in order of their positions, by a tournament: which of few is the extreme is anyone's
 * guess, so nothing branches. `pair` is the array that `choice` needs.
 */
export function extremeOfFew(
  { reduction, parts, position }: Accumulator,
  values: readonly Located[],
  scope: Scope,
  pair: string,
): void {
  const { fn } = reduction;
  const sign = fn === "max" || fn === "argMax" ? ">" : "<";
  /** Whether the later of two wins; the first of equals stays, and a NaN does. */
  const wins = (a: string, b: string): string => {
    const nan = `(${b} !== ${b} | 0)`;
    if (position !== undefined) return `(${b} ${sign} ${a} | 0) | (${nan} & (${a} === ${a} | 0))`;
    // Of two zeros the larger is +0.
    const [minus, zero] = fn === "max" ? [a, b] : [b, a];
    return `(${b} ${sign} ${a} | 0) | ${nan} | ((Object.is(${minus}, -0) | 0) & (${zero} === 0 | 0))`;
  };
  let round = values.map((value, at) => ({
    text: scope.define(position === undefined ? value.text : rounded(value), "x"),
    at: `${at}`,
  }));
  while (round.length > 1) {
    round = round.flatMap((a, index) => {
      const b = round[index + 1];
      if (index % 2 === 1) return [];
      if (b === undefined) return [a];
      const later = scope.compute(wins(a.text, b.text), "w");
      const text = scope.compute(choice(pair, later, b.text, a.text), "x");
      if (position === undefined) return [{ text, at: "" }];
      return [{ text, at: scope.compute(`${a.at} ^ ((${a.at} ^ ${b.at}) & -${later})`, "q") }];
    });
  }
  const winner = round[0] as { text: string; at: string };
  scope.push(`${parts[0]} = ${winner.text};`);
  if (position !== undefined) scope.push(`${position} = ${winner.at};`);
}

/** The finished value, as an expression. */
export function result({ reduction, parts, position }: Accumulator): string {
  if (position !== undefined) return position;
  // Pairwise, so that no addition waits for all the others.
  let level = [...parts];
  while (level.length > 1) {
    const next: string[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const [a, b] = [level[i] as string, level[i + 1]];
      next.push(b === undefined ? a : `(${combined(reduction, a, b)})`);
    }
    level = next;
  }
  const text = level[0] as string;
  return reduction.dtype === "bool" ? `${text} !== 0` : text;
}
