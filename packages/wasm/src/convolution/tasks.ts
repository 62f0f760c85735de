/** Shares of the tasks of a launch in its units of work. */
import { type Expression, type FunctionBuilder, i32, type Local } from "../emit/index.ts";

/** Units first … end - 1 of task `task`: even shares, the same for any number of threads. */
export function taskRange(
  f: FunctionBuilder,
  task: Expression<"i32">,
  tasks: number,
  units: number,
): { readonly first: Local<"i32">; readonly end: Local<"i32"> } {
  if (tasks === units) {
    const first = f.let(task);
    return { first, end: f.let(i32.add(first, 1)) };
  }
  const share = Math.floor(units / tasks);
  // The first `more` tasks have one unit more.
  const more = units % tasks;
  const from = (of: Expression<"i32">): Local<"i32"> =>
    f.let(i32.add(i32.mul(of, share), more === 0 ? 0 : i32.select(i32.ltU(of, more), of, i32.const(more))));
  const start = f.let(task);
  return { first: from(start), end: from(f.let(i32.add(start, 1))) };
}

/** `body` for every unit of the task. */
export function forTasks(
  f: FunctionBuilder,
  task: Expression<"i32">,
  tasks: number,
  units: number,
  body: (unit: Local<"i32">) => void,
): void {
  const { first, end } = taskRange(f, task, tasks, units);
  const unit = f.local("i32");
  f.for(unit, first, end, 1, () => body(unit));
}
