/** explain(fn, …): the Program a function runs, as text. */
import { printProgram } from "../backend/print.ts";
import { type CompiledFunction, compile } from "./compile.ts";

/**
 * The Program that `fn` (compiled or not) runs for these arguments: each kernel, what was fused into it, the bytes it
 * moves, the size of the arena. Nothing is run. `full` shows every scalar instruction too.
 */
export function explain<Args extends unknown[]>(fn: (...args: Args) => unknown, ...args: Args): string {
  const compiled = "program" in fn ? (fn as CompiledFunction<Args, unknown>) : compile(fn);
  return printProgram(compiled.program(...args));
}
