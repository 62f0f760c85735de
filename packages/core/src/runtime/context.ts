/**
 * What is being built right now: nothing in particular, or the trace of a compiled function. Everything that must happen
 * at every run of a compiled function and not once at its trace (a schedule's next rate, a random stream's next number,
 * a step counter) goes through here.
 */
import type { ComputeDType } from "../graph/dtype.ts";
import { makeNode, type Node, type NodeOf, type Uniform } from "../graph/node.ts";
import type { Storage } from "./storage.ts";

/** May return how to take back what it did, should the run fail. */
export type RunCallback = () => undefined | (() => void);

export interface Trace {
  /** In order: uniforms to evaluate and callbacks to call, at each run. */
  readonly schedule: (Uniform | RunCallback)[];
  /** A replay is valid only while all of these hold; else the function is traced again. */
  readonly guards: (() => boolean)[];
  /** Current value of each parameter the function has assigned. */
  readonly assigned: Map<Storage, Node>;
}

let current: Trace | undefined;

export const currentTrace = (): Trace | undefined => current;

/** Runs `build` with `trace` recording. */
export function withTrace<T>(trace: Trace, build: () => T): T {
  const before = current;
  current = trace;
  try {
    return build();
  } finally {
    current = before;
  }
}

/**
 * A scalar node whose value is asked for at every run while tracing; outside a trace `value` is asked once, now, so that a
 * lazy tensor keeps the number it was built with.
 */
export function uniformScalar(name: string, dtype: ComputeDType, value: () => number): NodeOf<"uniform"> {
  if (current) {
    const uniform: Uniform = { name, value };
    current.schedule.push(uniform);
    return makeNode("uniform", [], { uniform }, [], dtype);
  }
  const now = value();
  return makeNode("uniform", [], { uniform: { name, value: () => now } }, [], dtype);
}

/** Calls `callback` now; while tracing, at every run instead, in order with the uniforms. */
export function onRun(callback: RunCallback): void {
  if (current) current.schedule.push(callback);
  else callback();
}

/** While tracing: the trace is replayed only as long as `holds()`. */
export function guard(holds: () => boolean): void {
  current?.guards.push(holds);
}
