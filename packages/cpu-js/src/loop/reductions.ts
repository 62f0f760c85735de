/** Reductions in generated code: how an accumulator starts, takes a value, and joins another. */
import { castValue, type Instruction, reduceIdentity } from "@thalweg/core/backend";
import type { Located } from "../place.ts";
import { asNumber, choice, literal, rounded, wrap } from "../scalarSource.ts";

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
  if (dtype === "bool") return fn === "min" ? 1 : 0;
  return castValue("float64", dtype, reduceIdentity[fn]);
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

const extremes: ReadonlySet<string> = new Set(["max", "min", "argMax", "argMin"]);

/**
 * The statements that take the next of a few values, all written out: which of few is the extreme is anyone's guess, so
 * they do not branch. `pair` names the array that `choice` needs.
 */
export function accumulateFew(
  accumulator: Accumulator,
  value: Located,
  at: number,
  pair: () => string,
): string {
  const { reduction, parts, position } = accumulator;
  const { fn, dtype } = reduction;
  const name = parts[0] as string;
  if (!extremes.has(fn) || value.dtype === "bool") return accumulate(accumulator, 0, value, `${at}`);
  if (position === undefined && dtype !== "float32" && dtype !== "float64") return accumulate(accumulator, 0, value, "");
  if (at === 0) return `${name} = ${position === undefined ? value.text : rounded(value)};`;
  const sign = fn === "max" || fn === "argMax" ? ">" : "<";
  if (position !== undefined) {
    const test = `(x ${sign} ${name} | 0) | ((x !== x | 0) & (${name} === ${name} | 0))`;
    const take = `${name} = ${choice(pair(), "c", "x", name)}; ${position} = ${position} ^ ((${position} ^ ${at}) & -c);`;
    return `{ const x = ${rounded(value)}, c = ${test}; ${take} }`;
  }
  // Of two zeros the larger is +0.
  const wrong = fn === "max" ? name : value.text;
  const other = fn === "max" ? value.text : name;
  const zeros = `((Object.is(${wrong}, -0) | 0) & (${other} === 0 | 0))`;
  const test = `(${value.text} ${sign} ${name} | 0) | (${value.text} !== ${value.text} | 0) | ${zeros}`;
  return `${name} = ${choice(pair(), test, value.text, name)};`;
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
