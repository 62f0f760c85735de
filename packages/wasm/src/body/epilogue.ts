/** The element-wise end of a contraction, written into the contraction's own loops. */
import {
  type DType,
  type Epilogue,
  type Instruction,
  liveValues,
  mayOverlap,
  type Program,
} from "@thalweg/core/backend";
import type { Code } from "../code.ts";
import type { Local } from "../emit/index.ts";
import type { Lanes, Part } from "../lanes/index.ts";
import type { Slot, Variable } from "./point.ts";
import { Scope } from "./scope.ts";
import { writeBody } from "./writer.ts";

export interface EpilogueWriter {
  /**
   * Locals now hold the variables of the tile's first element: what its addresses share is computed. `vector`: the
   * variable along which lanes lie. Numbers are constants. What `write` finds to be the same for several elements is
   * computed here, too: so call it after the tile's sums, when registers are free again.
   */
  begin(origin: readonly (Local<"i32"> | number)[], vector: number): void;
  /**
   * The elements at origin + add (one integer per variable), `count` (1 … lanes.count) neighbours along `vector`, whose
   * sums are `accumulator` (a local, float32).
   */
  write(add: readonly number[], count: number, accumulator: Part): void;
}

export const usesUniforms = (body: readonly Instruction[]): boolean => body.some(({ op }) => op === "uniform");

/**
 * Made once per function, before its loops: what is the same everywhere (uniforms, constants, loads that depend on no
 * variable) is computed here. `slots`: the pointer local of each entry of epilogue.buffers.
 */
export function epilogueWriter(
  code: Code,
  lanes: Lanes,
  { body, buffers }: Epilogue,
  program: Program,
  slots: readonly Local<"i32">[],
  uniforms: Local<"i32"> | undefined,
): EpilogueWriter {
  const live = liveValues([body]);
  const needed = body.filter(({ id }) => live.has(id));
  const stored = needed.flatMap((instruction) =>
    instruction.op === "store" ? [buffers[instruction.slot] as number] : [],
  );
  const surroundings = {
    code,
    lanes,
    uniforms,
    slots: buffers.map(
      (buffer, slot): Slot => ({
        pointer: slots[slot] as Local<"i32">,
        dtype: program.buffers[buffer]?.dtype as DType,
        depth: 0,
        written: stored.some((other) => mayOverlap(program, buffer, other)),
      }),
    ),
  };
  const outside = new Scope(lanes.f);
  outside.hold();
  let tile = new Scope(lanes.f, outside);
  let origin: readonly (Local<"i32"> | number)[] = [];
  let vector = -1;
  return {
    begin(first, along) {
      origin = first;
      vector = along;
      tile = new Scope(lanes.f, outside);
      tile.hold();
    },
    write(add, count, accumulator) {
      const variables = origin.map((from, index): Variable => {
        const more = add[index] as number;
        const size = Number.POSITIVE_INFINITY;
        if (typeof from === "number") return { base: undefined, add: from + more, depth: 0, size };
        return { base: from, add: more, depth: 1, size };
      });
      const scopes = [outside, tile, new Scope(lanes.f, tile)];
      const point = { surroundings, scopes, variables, values: new Map(), vector, count };
      writeBody(point, needed, { accumulator });
    },
  };
}
