/** The launch before a convolution: operands are brought into the order the products read them in. */
import type { Code } from "../code.ts";
import { type FunctionBuilder, i32, type Local } from "../emit/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { taskRange } from "./tasks.ts";

/** Something that is brought into scratch, unit by unit. */
export interface Preparation {
  /** All that its code depends on. */
  readonly key: unknown;
  readonly source: Pointer;
  readonly target: Pointer;
  readonly units: number;
  /** Simple operations of a unit. */
  readonly work: number;
  write(
    f: FunctionBuilder,
    code: Code,
    source: Local<"i32">,
    target: Local<"i32">,
    first: Local<"i32">,
    end: Local<"i32">,
  ): void;
}

/** One launch for all of them. */
export function prepareLaunch(preparations: readonly Preparation[]): Launch {
  const tasks = preparations.map(({ units, work }) => taskCount(units, work));
  return {
    key: JSON.stringify(["prepare", preparations.map(({ key, units }, index) => [key, units, tasks[index]])]),
    pointers: preparations.flatMap(({ source, target }) => [source, target]),
    tasks: tasks.reduce((sum, count) => sum + count, 0),
    build(f, code) {
      const task = f.parameters.at(-1) as Local<"i32">;
      const from = (index: number, before: number): void => {
        const preparation = preparations[index] as Preparation;
        const count = tasks[index] as number;
        const own = (): void => {
          const { first, end } = taskRange(f, i32.sub(task, before), count, preparation.units);
          preparation.write(f, code, f.parameter(2 * index, "i32"), f.parameter(2 * index + 1, "i32"), first, end);
        };
        if (index + 1 === preparations.length) own();
        else f.if(i32.ltS(task, before + count), own, () => from(index + 1, before + count));
      };
      from(0, 0);
    },
  };
}
