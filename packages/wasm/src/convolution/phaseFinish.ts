/** Brings the sums of the phases of an input gradient together and through its epilogue. */
import type { Code } from "../code.ts";
import { type FunctionBuilder, i32, type Local, shuffle32, type V128, v128 } from "../emit/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { type Output, outputKey, outputWriter } from "./output.ts";
import { forTasks } from "./tasks.ts";
import type { Pair } from "./windows.ts";

/** Where a phase's sums lie in scratch memory, contiguous: [images, channels, its rows, its columns]. */
export interface PhaseSums {
  /** Bytes from the begin of the sums of the first phase. */
  readonly offset: number;
  readonly size: Pair;
}

export interface PhaseResult {
  readonly stride: Pair;
  /** [n, c, h, w] of the result. */
  readonly shape: readonly [number, number, number, number];
  /** Remainders of the second axis run fastest. */
  readonly phases: readonly PhaseSums[];
}

export function phaseFinish(result: PhaseResult, sums: Pointer, output: Output): Launch {
  const { shape } = result;
  const planes = shape[0] * shape[1];
  const tasks = taskCount(planes, 2 * shape[2] * shape[3]);
  return {
    key: JSON.stringify(["phases", result, outputKey(output)]),
    pointers: [sums, ...output.pointers],
    tasks,
    build: (f, code) => build(f, code, result, tasks, output),
  };
}

function build(f: FunctionBuilder, code: Code, result: PhaseResult, tasks: number, output: Output): void {
  const { stride, shape, phases } = result;
  const lanes = code.lanes(f);
  const writer = outputWriter(f, code, lanes, output, 1);
  const [, channels, height, width] = shape;
  const columnPhases = Math.min(stride[1], width);
  const sums = f.parameter(0, "i32");
  const sum = f.local("v128");
  const [row, column, h, w] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  forTasks(f, f.parameters.at(-1) as Local<"i32">, tasks, shape[0] * channels, (plane) => {
    const n = f.let(i32.divU(plane, channels));
    const c = f.let(i32.remU(plane, channels));
    for (let r0 = 0; r0 < Math.min(stride[0], height); r0++) {
      const rowPhases = phases.slice(r0 * columnPhases, (r0 + 1) * columnPhases);
      const rows = (rowPhases[0] as PhaseSums).size[0];
      f.for(row, 0, rows, 1, () => {
        f.set(h, i32.add(i32.mul(row, stride[0]), r0));
        const from = rowPhases.map(({ offset, size }) =>
          f.let(i32.add(i32.add(sums, offset), i32.mul(i32.add(i32.mul(plane, size[0]), row), 4 * size[1]))),
        );
        /** Vector `v` of the row's next `4 · columnPhases` elements; `count` of its lanes are there. */
        const vector = (v: number, count: number): V128 => {
          if (columnPhases === 1) return v128.load(from[0] as Local<"i32">);
          if (columnPhases === 2 && count === 4) {
            const [even, odd] = [0, 1].map((r) => v128.load64Zero(from[r] as Local<"i32">, 8 * v)) as [V128, V128];
            return shuffle32(even, odd, [0, 4, 1, 5]);
          }
          return gather(v, count);
        };
        const gather = (v: number, count: number): V128 => {
          const at = (lane: number): readonly [Local<"i32">, number] => [
            from[(4 * v + lane) % columnPhases] as Local<"i32">,
            4 * Math.floor((4 * v + lane) / columnPhases),
          ];
          let gathered = v128.load32Zero(...at(0));
          for (let lane = 1; lane < count; lane++) {
            const [address, offset] = at(lane);
            gathered = v128.load32Lane(address, gathered, lane, offset);
          }
          return gathered;
        };
        const some = (elements: number): void => {
          writer.begin([n, c, h, w], 3);
          for (let at = 0; at < elements; at += 4) {
            const count = Math.min(4, elements - at);
            f.set(sum, count < 4 ? gather(at / 4, count) : vector(at / 4, count));
            writer.write([0, 0, 0, at], count, sum);
          }
        };
        const chunk = 4 * columnPhases;
        f.set(w, i32.const(0));
        f.for(column, 0, Math.floor(width / chunk), 1, () => {
          some(chunk);
          for (const pointer of from) f.set(pointer, i32.add(pointer, 16));
          f.set(w, i32.add(w, chunk));
        });
        if (width % chunk > 0) some(width % chunk);
      });
    }
  });
}
