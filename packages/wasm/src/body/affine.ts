/** Affine functions of loop variables at a point: addresses and numbers, each partial sum as far out as it is known. */
import type { Affine } from "@thalweg/core/backend";
import { type Expression, i32, type Local } from "../emit/index.ts";
import { type Located, locatedValue, type Point, scopeAt, type Variable } from "./point.ts";

type Term = NonNullable<Affine["dynamic"]>[number];

/** `base + add`, or `add` where there is no base. */
export interface Sum {
  readonly base: Local<"i32"> | undefined;
  readonly add: number;
  readonly depth: number;
}

/** All that is known of the function when the code is written: offset and fixed parts of variables. */
export function constantOf(point: Point, { offset, strides }: Affine): number {
  let sum = offset;
  for (let i = 0; i < strides.length; i++) {
    const stride = strides[i] as number;
    if (stride !== 0) sum += stride * (point.variables[i] as Variable).add;
  }
  return sum;
}

/** `start + Σ stride · scale · base`, without constants. Outer variables first, so that their sums are kept outside. */
export function chain(point: Point, strides: readonly number[], scale: number, start?: Sum): Sum {
  let base = start?.base;
  let depth = start?.depth ?? 0;
  const moving: number[] = [];
  for (let i = 0; i < strides.length; i++) {
    if (strides[i] !== 0 && (point.variables[i] as Variable).base) moving.push(i);
  }
  if (moving.length > 1) {
    moving.sort((a, b) => (point.variables[a] as Variable).depth - (point.variables[b] as Variable).depth);
  }
  for (const i of moving) {
    const variable = point.variables[i] as Variable;
    const by = (strides[i] as number) * scale;
    const term = product(point, variable.base as Local<"i32">, variable.depth, by);
    depth = Math.max(depth, variable.depth);
    base = base ? plus(point, base, term, depth) : term;
  }
  // A variable that is written out may still belong to a block.
  for (let i = 0; i < strides.length; i++) {
    if (strides[i] !== 0) depth = Math.max(depth, (point.variables[i] as Variable).depth);
  }
  return { base, add: start?.add ?? 0, depth };
}

function product(point: Point, a: Local<"i32">, depth: number, by: number): Local<"i32"> {
  if (by === 1) return a;
  return scopeAt(point, depth).let(`${a.index}*${by}`, () => i32.mul(a, by | 0));
}

function plus(point: Point, a: Local<"i32">, b: Local<"i32">, depth: number): Local<"i32"> {
  return scopeAt(point, depth).let(`${a.index}+${b.index}`, () => i32.add(a, b));
}

export function plusConstant(point: Point, a: Local<"i32">, b: number, depth: number): Local<"i32"> {
  if (b === 0) return a;
  return scopeAt(point, depth).let(`${a.index}++${b}`, () => i32.add(a, b | 0));
}

/** A value as a number of i32, the same for all lanes. */
export function scalarOf(point: Point, { vector, depth }: Located, lane = 0): Local<"i32"> {
  const { lanes } = point.surroundings;
  const part = vector.parts[0] as Local<"i32">;
  const name = "index" in part ? part.index : "c";
  const compute = () => lanes.laneI32(part, lane);
  if (name === "c") return lanes.f.let(compute());
  return scopeAt(point, depth).let(`lane${lane} ${name}`, compute);
}

/** Whether the dynamic index differs from lane to lane. */
export const isVarying = (point: Point, { value }: Term): boolean => locatedValue(point, value).varies;

/** Returns from the function with an IndexError unless 0 ≤ index < size. */
export function checkIndex(point: Point, index: Local<"i32">, { value, size }: Term): void {
  const { code, lanes } = point.surroundings;
  const { f } = lanes;
  f.if(i32.geU(index, size), () => {
    code.fail(f, index, size, locatedValue(point, value).vector.dtype === "uint32");
    f.return();
  });
}

/**
 * `sum` and the dynamic terms that are the same in all lanes. `check`: whether an index out of range ends the run, at
 * the latest here.
 */
export function withUniformTerms(point: Point, affine: Affine, scale: number, sum: Sum, check: boolean): Sum {
  let { base, depth } = sum;
  for (const term of affine.dynamic ?? []) {
    if (isVarying(point, term)) continue;
    const located = locatedValue(point, term.value);
    const index = scalarOf(point, located);
    if (check) {
      scopeAt(point, located.depth).define(`check ${index.index}<${term.size}`, () => {
        checkIndex(point, index, term);
        return true;
      });
    }
    const scaled = product(point, index, located.depth, term.stride * scale);
    depth = Math.max(depth, located.depth);
    base = base ? plus(point, base, scaled, depth) : scaled;
  }
  return { base, add: sum.add, depth };
}

/** The lanes' own part of an address: dynamic indices that differ, times stride and scale, as a number per lane. */
export function varyingTerms(
  point: Point,
  affine: Affine,
  scale: number,
  check: boolean,
): { readonly lanes: readonly (Expression<"i32"> | undefined)[]; readonly depth: number; readonly any: boolean } {
  const terms = (affine.dynamic ?? []).filter((term) => isVarying(point, term));
  const depth = terms.reduce((most, { value }) => Math.max(most, locatedValue(point, value).depth), 0);
  const lanes = Array.from({ length: point.count }, (_, lane) => {
    let sum: Expression<"i32"> | undefined;
    for (const term of terms) {
      const located = locatedValue(point, term.value);
      const index = scalarOf(point, located, lane);
      if (check) {
        scopeAt(point, located.depth).define(`check ${index.index}<${term.size}`, () => {
          checkIndex(point, index, term);
          return true;
        });
      }
      const scaled = i32.mul(index, (term.stride * scale) | 0);
      sum = sum ? i32.add(sum, scaled) : scaled;
    }
    return sum;
  });
  return { lanes, depth, any: terms.length > 0 };
}

/** The function's value in lane 0 as one number, dynamic terms that are the same in all lanes included. */
export function valueOfAffine(point: Point, affine: Affine, check: boolean): Sum {
  const sum = withUniformTerms(point, affine, 1, chain(point, affine.strides, 1), check);
  return { ...sum, add: constantOf(point, affine) };
}
