/** Conditions of loads and `inside`: what is certain is dropped, what all lanes share is tested once. */
import type { Affine, Condition } from "@thalweg/core/backend";
import { fixedValue, indexLiteral, plusConstant, plusProduct, sumOf } from "./linear.ts";
import type { Writer } from "./writer.ts";

export interface Guard {
  /** A condition that certainly fails. */
  readonly never: boolean;
  /** Names of tests that are the same in all lanes. */
  readonly shared: readonly string[];
  /** Names of tests, per lane, that differ. */
  readonly perLane: readonly (readonly string[])[];
}

const remainder = (a: number, b: number): number => ((a % b) + b) % b;

/** Whether every group of lanes lies on one side of `boundary`: lanes go from a multiple of their number to the next. */
function splitsGroups(writer: Writer, { strides }: Affine, first: number, boundary: number): boolean {
  const step = writer.stride(strides);
  const unit = Math.abs(step) * writer.width;
  const least = step > 0 ? first : first + step * (writer.width - 1);
  if (remainder(least - boundary, unit) !== 0) return true;
  return strides.some(
    (stride, variable) =>
      variable !== writer.variable &&
      remainder(stride, unit) !== 0 &&
      fixedValue(writer.place.variables[variable] as string) === undefined,
  );
}

const halfRange = 2 ** 31;

/** `lo ≤ text + constant < hi` as one comparison without sign; the numbers stay far from the ends of their type. */
function within(writer: Writer, text: string, constant: number, lo: number, hi: number): string {
  if (text === "") return constant >= lo && constant < hi ? "true" : "false";
  const { index } = writer.place;
  const shift = constant - lo;
  const size = hi - lo;
  if (index === "int" && Math.abs(shift) < halfRange / 2 && size < halfRange) {
    const base = writer.bind("int", text, "i");
    return writer.bind("bool", `(unsigned)(${plusConstant(base, shift, "int")}) < ${size}u`, "c");
  }
  const base = writer.bind(index, text, "i");
  const value = writer.bind("long long", plusConstant(`(long long)${base}`, constant, "long long"), "n");
  return writer.bind(
    "bool",
    `${value} >= ${indexLiteral(lo, "long long")} && ${value} < ${indexLiteral(hi, "long long")}`,
    "c",
  );
}

/** A condition on dynamic values, which may be any numbers of 32 bits: it decides and is not checked. */
function dynamicTest(writer: Writer, { affine, lo, hi }: Condition, lane: number): string {
  const { variables } = writer.place;
  const { text, constant } = sumOf(affine, variables, "long long");
  let sum = text;
  for (const { value, stride } of affine.dynamic ?? []) {
    if (stride !== 0) sum = plusProduct(sum, writer.lane(value, lane), stride, "long long");
  }
  const shifted = plusConstant(sum, constant + lane * writer.stride(affine.strides), "long long");
  const value = writer.bind("long long", shifted, "n");
  return writer.bind(
    "bool",
    `${value} >= ${indexLiteral(lo, "long long")} && ${value} < ${indexLiteral(hi, "long long")}`,
    "c",
  );
}

export function guardOf(writer: Writer, conditions: readonly Condition[]): Guard {
  const shared = new Set<string>();
  const perLane: string[][] = [];
  const lanes = Array.from({ length: writer.width }, (_, lane) => lane);
  for (const condition of conditions) {
    const { affine, lo, hi } = condition;
    const step = writer.stride(affine.strides);
    if (hi <= lo) return { never: true, shared: [], perLane: [] };
    if (affine.dynamic?.length) {
      const varies = step !== 0 || affine.dynamic.some(({ value }) => writer.varies(value));
      if (varies) perLane.push(lanes.map((lane) => dynamicTest(writer, condition, lane)));
      else shared.add(dynamicTest(writer, condition, 0));
      continue;
    }
    const { text, constant } = sumOf(affine, writer.place.variables, writer.place.index);
    const test = (lane: number): string => within(writer, text, constant + step * lane, lo, hi);
    if (step === 0 || !(splitsGroups(writer, affine, constant, lo) || splitsGroups(writer, affine, constant, hi))) {
      const certain = test(0);
      if (certain === "false") return { never: true, shared: [], perLane: [] };
      if (certain !== "true") shared.add(certain);
    } else perLane.push(lanes.map(test));
  }
  return { never: false, shared: [...shared], perLane };
}

/** All tests for a lane, and `more`; empty: none. */
export const testsOf = (guard: Guard, lane: number, ...more: readonly (string | undefined)[]): string[] => [
  ...more.flatMap((test) => test ?? []),
  ...guard.shared,
  ...guard.perLane.flatMap((tests) => (tests[lane] === "true" ? [] : [tests[lane] as string])),
];
