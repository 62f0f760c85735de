/** One body over many sets of buffers: one launch, whose tasks find through a table which stretches of which segments are theirs. */
import type { Segment } from "@thalweg/core/backend";
import { type Point, Scope, type Surroundings, usesUniforms, writeBody } from "../body/index.ts";
import type { Code } from "../code.ts";
import { type FunctionBuilder, i32, type Local } from "../emit/index.ts";
import { type Launch, type Pointer, taskCount } from "../launch.ts";
import { copiesFor } from "./plan.ts";
import { keyOf, type SlotMemory, type Space, writtenSlots } from "./space.ts";
import { workOfBody } from "./work.ts";

/** Stretches begin at multiples of this many elements, so that they begin at whole cache lines. */
const grain = 64;

/** A stretch of one segment: the byte offset of its addresses in the table, the first element and the one past the last. */
type Stretch = readonly [row: number, from: number, to: number];

/** Equal shares of all elements, in order. */
function sharesOf(segments: readonly Segment[], tasks: number): Stretch[][] {
  const total = segments.reduce((sum, { size }) => sum + size, 0);
  const share = Math.ceil(total / tasks / grain) * grain;
  const shares: Stretch[][] = [[]];
  let room = share;
  let row = 0;
  for (const { size, buffers } of segments) {
    for (let from = 0; from < size; ) {
      if (room <= 0) {
        shares.push([]);
        room = share;
      }
      const to = Math.min(size, from + Math.ceil(room / grain) * grain);
      shares.at(-1)?.push([row, from, to]);
      room -= to - from;
      from = to;
    }
    row += 4 * buffers.length;
  }
  return shares;
}

/** `segments`: of equal dtypes and overlaps. Undefined when they hold nothing. */
export function segmentsLaunch(
  space: Space,
  slots: readonly SlotMemory[],
  segments: readonly Segment[],
): Launch | undefined {
  const total = segments.reduce((sum, { size }) => sum + size, 0);
  if (total === 0) return undefined;
  const body = space.stages.flatMap((stage) => stage.body);
  const work = workOfBody(body);
  const shares = sharesOf(segments, taskCount(Math.ceil(total / grain), grain * work));
  // Per task the first of its stretches, one past the last of the last task, then all stretches.
  const firsts: number[] = [0];
  for (const share of shares) firsts.push((firsts.at(-1) as number) + share.length);
  const constants = [...firsts.map((first) => 4 * (firsts.length + 3 * first)), ...shares.flat(2)];
  const uniforms = usesUniforms(body);
  const pointers: Pointer[] = [
    { kind: "table", buffers: segments.flatMap(({ buffers }) => buffers), constants: [] },
    { kind: "table", buffers: [], constants },
    ...(uniforms ? [{ kind: "uniforms" } as const] : []),
  ];
  const written = writtenSlots(space, slots);
  return {
    key: `segments ${keyOf({ ...space, outer: [] }, slots)}`,
    pointers,
    tasks: shares.length,
    build(f: FunctionBuilder, code: Code): void {
      const [addresses, table] = [f.parameter(0, "i32"), f.parameter(1, "i32")];
      const task = f.parameter(pointers.length, "i32");
      const lanes = code.lanes(f);
      const outside = new Scope(f);
      const entry = f.let(i32.add(table, i32.shl(task, 2)));
      const [stretch, end] = [f.local("i32"), f.let(i32.add(table, i32.load(entry, 4)))];
      outside.nested((inside) => {
        f.for(stretch, i32.add(table, i32.load(entry)), end, 12, () => {
          const row = f.let(i32.add(addresses, i32.load(stretch)));
          const surroundings: Surroundings = {
            code,
            lanes,
            uniforms: uniforms ? f.parameter(2, "i32") : undefined,
            slots: slots.map(({ dtype }, slot) => ({
              pointer: f.let(i32.load(row, 4 * slot)),
              dtype,
              depth: 1,
              written: written[slot] as boolean,
            })),
          };
          writeStretch(
            space,
            surroundings,
            [outside, inside],
            f.let(i32.load(stretch, 4)),
            f.let(i32.load(stretch, 8)),
          );
        });
      });
    },
  };
}

/** Elements from … to - 1 of the segment at hand. */
function writeStretch(
  space: Space,
  surroundings: Surroundings,
  scopes: readonly [Scope, Scope],
  from: Local<"i32">,
  to: Local<"i32">,
): void {
  const { lanes } = surroundings;
  const { f } = lanes;
  const width = lanes.count;
  const body = space.stages.flatMap((stage) => stage.body);
  const copies = copiesFor(workOfBody(body));
  const scope = scopes[1];
  const at = (inside: Scope, base: Local<"i32">, add: number, count: number): void => {
    const size = Number.POSITIVE_INFINITY;
    const variables = [{ base, add, depth: inside.depth, size }];
    const point: Point = { surroundings, scopes: [...scopes, inside], variables, values: new Map(), vector: 0, count };
    writeBody(point, body);
  };
  let begin = from;
  for (const unit of [width * copies, width]) {
    if (unit === width && copies === 1 && begin !== from) break;
    const end = f.let(i32.add(begin, i32.and(i32.sub(to, begin), -unit)));
    const first = begin;
    scope.nested((inside) => {
      const base = f.local("i32");
      f.for(base, first, end, unit, () => {
        for (let add = 0; add < unit; add += width) at(inside, base, add, width);
      });
    });
    begin = end;
  }
  // Fewer elements than a vector has are left: two at once, then one.
  for (const count of [2, 1]) {
    if (count >= width) continue;
    const first = begin;
    scope.nested((inside) => {
      f.if(i32.and(i32.sub(to, first), count), () => at(inside, first, 0, count));
    });
    begin = f.let(i32.add(first, i32.and(i32.sub(to, first), count)));
  }
}
