/** Where a body stands: the values of the loop variables and of what was computed before, and the blocks around it. */
import type { DType, Value } from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import type { Local } from "../emit/index.ts";
import type { Lanes, Vector } from "../lanes/index.ts";
import type { Scope } from "./scope.ts";

/** A loop variable: `base + add`, in lane 0 when it is the one that lanes lie along. */
export interface Variable {
  /** Undefined when the loop is written out and `add` is the value. */
  readonly base: Local<"i32"> | undefined;
  readonly add: number;
  /** Depth of the block in which the value is known. */
  readonly depth: number;
  /** Values it takes: [0, size). Infinity when not known. */
  readonly size: number;
}

/** A value of the scalar language, and where it is known. */
export interface Located {
  readonly vector: Vector;
  readonly depth: number;
  /** Lanes differ. */
  readonly varies: boolean;
}

/** Memory that a body names by slot. */
export interface Slot {
  readonly pointer: Local<"i32">;
  readonly dtype: DType;
  /** Of the block in which `pointer` is set. */
  readonly depth: number;
  /** The kernel also writes this memory, so that a load must stay where it stands. */
  readonly written: boolean;
}

/** What is the same at all points of a function. */
export interface Surroundings {
  readonly code: Code;
  readonly lanes: Lanes;
  readonly slots: readonly Slot[];
  /** Pointer to the uniforms, where the body has some. */
  readonly uniforms: Local<"i32"> | undefined;
}

export interface Point {
  readonly surroundings: Surroundings;
  /** scopes[d]: the block inside d others; the last is the one the body itself stands in. */
  readonly scopes: readonly Scope[];
  readonly variables: readonly Variable[];
  /** Values in sight; the writer of a body adds to them. */
  readonly values: Map<Value, Located>;
  /** The variable whose next values lie in the lanes; -1 when all lanes are alike. */
  readonly vector: number;
  /** Lanes that exist: 1 … lanes.count. */
  readonly count: number;
}

export const scopeAt = (point: Point, depth: number): Scope => point.scopes[depth] as Scope;
export const innermost = (point: Point): Scope => point.scopes[point.scopes.length - 1] as Scope;
export const locatedValue = (point: Point, value: Value): Located => {
  const located = point.values.get(value);
  if (!located) throw new TypeError(`value ${value} is not in sight`);
  return located;
};
/** Change of a variable from lane to lane. */
export const strideOf = (point: Point, strides: readonly number[]): number =>
  point.vector < 0 ? 0 : (strides[point.vector] as number);
