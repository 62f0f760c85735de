/** Which of a launch's units, e.g. rows, one of its tasks does. */
import { type Expression, type FunctionBuilder, type I32, i32, type Local } from "../emit/index.ts";

export interface Share {
  /** Constants where there is one task, so that loops over all of it are written as such; else locals. */
  readonly from: number | Local<"i32">;
  readonly to: number | Local<"i32">;
}

/** Neighbouring units for each of `tasks` tasks; the first ones do one more than the last where they do not come out even. */
export function taskShare(f: FunctionBuilder, task: Expression<"i32">, units: number, tasks: number): Share {
  if (tasks === 1) return { from: 0, to: units };
  const each = Math.floor(units / tasks);
  const longer = units % tasks;
  const first = (of: Expression<"i32">): Expression<"i32"> => {
    const extra: I32 = longer === 0 ? 0 : i32.select(i32.ltS(of, longer), of, longer);
    return i32.add(i32.mul(of, each), extra);
  };
  return { from: f.let(first(task)), to: f.let(first(i32.add(task, 1))) };
}
