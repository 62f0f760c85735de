/**
 * Conditions at a point: what is certain is dropped, what all lanes share is one test as far out as it is known, and the
 * rest is a test for all lanes at once and one per lane.
 */
import type { Affine, Condition } from "@thalweg/core/backend";
import { type Expression, f64, i32, i32x4, type Local } from "../emit/index.ts";
import type { Lanes, Part } from "../lanes/index.ts";
import { chain, constantOf, isVarying, type Sum, scalarOf } from "./affine.ts";
import { locatedValue, type Point, scopeAt, strideOf, type Variable } from "./point.ts";
import { nameOf } from "./scope.ts";

/** A condition that differs from lane to lane. Expressions are made anew at each call, of locals that are known at `depth`. */
export interface LaneTest {
  /** Equal keys, equal tests. */
  readonly key: string;
  readonly depth: number;
  /** It holds in every lane that exists. */
  all(): Expression<"i32">;
  /** It may hold in some; undefined when that takes as long to find out as trying. */
  some(): Expression<"i32"> | undefined;
  lane(lane: number): Expression<"i32">;
  /** As a mask of all lanes. */
  mask(): Part;
}

export interface Guard {
  /** Whether all conditions hold, when that is certain. */
  readonly constant?: boolean;
  /** What all lanes share: 1 or 0. */
  readonly shared: Local<"i32"> | undefined;
  readonly perLane: readonly LaneTest[];
  readonly depth: number;
}

const both = (a: Expression<"i32"> | undefined, b: Expression<"i32">): Expression<"i32"> => (a ? i32.and(a, b) : b);
export const allOf = (tests: readonly Expression<"i32">[]): Expression<"i32"> | undefined =>
  tests.reduce<Expression<"i32"> | undefined>(both, undefined);

/** The values the function takes, over all values that variables with a base can have. */
function interval(point: Point, affine: Affine): { min: number; max: number } {
  if (affine.dynamic && affine.dynamic.length > 0) {
    // A dynamic index in a condition may be any number: it decides, and is not checked.
    return { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  }
  let min = constantOf(point, affine);
  let max = min;
  for (const [index, stride] of affine.strides.entries()) {
    if (stride === 0) continue;
    const { base, add, size } = point.variables[index] as Variable;
    const further = base ? size - 1 - add : index === point.vector ? point.count - 1 : 0;
    if (stride > 0) max += stride * further;
    else min += stride * further;
  }
  return { min, max };
}

export function guardOf(point: Point, conditions: readonly Condition[]): Guard {
  const tests: { test: Local<"i32">; depth: number }[] = [];
  const perLane: LaneTest[] = [];
  for (const { affine, lo, hi } of conditions) {
    const { min, max } = interval(point, affine);
    if (min >= lo && max < hi) continue;
    if (max < lo || min >= hi || hi <= lo) return { constant: false, shared: undefined, perLane: [], depth: 0 };
    const dynamic = (affine.dynamic?.length ?? 0) > 0;
    const varies = (affine.dynamic ?? []).some((term) => isVarying(point, term));
    if (!varies && strideOf(point, affine.strides) === 0) {
      const found = dynamic ? dynamicTest(point, affine, lo, hi, 0) : sharedTest(point, affine, lo, hi);
      if (!tests.some(({ test }) => test === found.test)) tests.push(found);
    } else perLane.push(dynamic ? dynamicLaneTest(point, affine, lo, hi) : affineLaneTest(point, affine, lo, hi));
  }
  if (tests.length === 0 && perLane.length === 0) return { constant: true, shared: undefined, perLane: [], depth: 0 };
  let shared: { test: Local<"i32">; depth: number } | undefined;
  for (const next of tests.sort((a, b) => a.depth - b.depth)) {
    if (!shared) shared = next;
    else {
      const [a, b] = [shared.test, next.test];
      shared = {
        test: scopeAt(point, next.depth).let(`${a.index}&${b.index}`, () => i32.and(a, b)),
        depth: next.depth,
      };
    }
  }
  const depth = perLane.reduce((most, test) => Math.max(most, test.depth), shared?.depth ?? 0);
  return { shared: shared?.test, perLane, depth };
}

/** lo ≤ value < hi as one comparison of unsigned numbers. */
const within = ({ base, add }: Sum, step: number, lo: number, hi: number): Expression<"i32"> =>
  i32.ltU(i32.add(base ?? i32.const(0), (add + step - lo) | 0), hi - lo);

function sharedTest(point: Point, affine: Affine, lo: number, hi: number): { test: Local<"i32">; depth: number } {
  const sum = { ...chain(point, affine.strides, 1), add: constantOf(point, affine) };
  const key = `${sum.base?.index}++${sum.add} in ${lo},${hi}`;
  return { test: scopeAt(point, sum.depth).let(key, () => within(sum, 0, lo, hi)), depth: sum.depth };
}

function affineLaneTest(point: Point, affine: Affine, lo: number, hi: number): LaneTest {
  const sum = { ...chain(point, affine.strides, 1), add: constantOf(point, affine) };
  const step = strideOf(point, affine.strides);
  const last = step * (point.count - 1);
  const base = sum.base ?? i32.const(0);
  const [least, most] = step > 0 ? [0, last] : [last, 0];
  const { lanes } = point.surroundings;
  return {
    key: `${sum.base?.index}++${sum.add}*${step} in ${lo},${hi}`,
    depth: sum.depth,
    all: () => i32.and(within(sum, 0, lo, hi), within(sum, last, lo, hi)),
    some: () => i32.and(i32.geS(base, (lo - sum.add - most) | 0), i32.ltS(base, (hi - sum.add - least) | 0)),
    lane: (lane) => within(sum, step * lane, lo, hi),
    mask: () =>
      lanes.i32.ltU(
        lanes.i32.add(lanes.splat32(base), laneNumbers(lanes, sum.add - lo, step)),
        lanes.i32.constant(hi - lo),
      ),
  };
}

/** In float64, as a dynamic index may be any number of 32 bits. */
function dynamicNumber(point: Point, affine: Affine, lane: number): { value: Expression<"f64">; depth: number } {
  const sum = chain(point, affine.strides, 1);
  const add = constantOf(point, affine) + lane * strideOf(point, affine.strides);
  let value: Expression<"f64"> = sum.base ? f64.add(f64.convertI32S(sum.base), add) : f64.const(add);
  let { depth } = sum;
  for (const term of affine.dynamic ?? []) {
    const located = locatedValue(point, term.value);
    const index = scalarOf(point, located, located.varies ? lane : 0);
    depth = Math.max(depth, located.depth);
    const number = located.vector.dtype === "uint32" ? f64.convertI32U(index) : f64.convertI32S(index);
    value = f64.add(value, f64.mul(number, term.stride));
  }
  return { value, depth };
}

function dynamicTest(
  point: Point,
  affine: Affine,
  lo: number,
  hi: number,
  lane: number,
): { test: Local<"i32">; depth: number } {
  const { value, depth } = dynamicNumber(point, affine, lane);
  const { f } = point.surroundings.lanes;
  const names = (affine.dynamic ?? [])
    .map((term) => `${locatedValue(point, term.value).vector.parts.map(nameOf).join(" ")}*${term.stride}`)
    .join();
  const base = chain(point, affine.strides, 1).base?.index;
  const key = `${base}++${constantOf(point, affine)}/${lane} dynamic ${names} in ${lo},${hi}`;
  const test = scopeAt(point, depth).let(key, () => {
    const number = f.let(value);
    return i32.and(f64.ge(number, lo), f64.lt(number, hi));
  });
  return { test, depth };
}

function dynamicLaneTest(point: Point, affine: Affine, lo: number, hi: number): LaneTest {
  const tests = Array.from({ length: point.count }, (_, lane) => dynamicTest(point, affine, lo, hi, lane));
  const { lanes } = point.surroundings;
  return {
    key: tests.map(({ test }) => test.index).join("&"),
    depth: Math.max(...tests.map(({ depth }) => depth)),
    all: () => allOf(tests.map(({ test }) => test)) as Expression<"i32">,
    some: () => undefined,
    lane: (lane) => (tests[lane] as { test: Local<"i32"> }).test,
    mask: () =>
      lanes.mask.fromInt(
        lanes.fromLanesI32(
          // Lanes that do not exist hold anything.
          Array.from({ length: lanes.count }, (_, lane) => (tests[lane] ?? (tests[0] as (typeof tests)[0])).test),
        ),
      ),
  };
}

/** start, start + step, … as int32. */
export function laneNumbers(lanes: Lanes, start: number, step: number): Part {
  if (lanes.count === 1 || step === 0) return lanes.i32.constant(start | 0);
  return lanes.f.constant(i32x4.const([0, 1, 2, 3].map((lane) => start + lane * step)));
}
