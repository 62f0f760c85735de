/** One element-wise body over many sets of buffers, a multi-tensor kernel: one launch, whose blocks find through a table what is theirs. */
import { type LoopKernel, mayOverlap, type Segment, type Value } from "@thalweg/core/backend";
import { kernelLaunch, type Parameter, statusName } from "../kernel/kernelLaunch.ts";
import type { KernelContext, KernelLaunch } from "../kernel/launch.ts";
import { bodyNeeds, type SlotSource, storageType } from "../source/index.ts";
import { partsOf } from "./elementwiseParts.ts";
import { indexType, spreadOf, vectorWidthAlong } from "./elementwisePlan.ts";
import { type Point, type Surroundings, writeInvariant, writePoints } from "./elementwisePoints.ts";
import { type ElementwiseSpace, elementwiseSpace, isStore } from "./elementwiseSpace.ts";

const threads = 256;
/** Rounds of a block at most, so that finding its segment and what is the same for all elements cost little. */
const mostRounds = 8;
/** Blocks per multiprocessor that rounds must leave, so that all finish at about the same time. */
const blocksWanted = 16;

/** `segments`: of equal dtypes and overlaps, none empty. */
export function segmentsLaunch(kernel: LoopKernel, segments: readonly Segment[], context: KernelContext): KernelLaunch {
  const { program, target } = context;
  const largest = segments.reduce((most, { size }) => Math.max(most, size), 0);
  const total = segments.reduce((sum, { size }) => sum + size, 0);
  const space = segmentSpace(kernel, largest);
  const { body } = space;
  const buffers = (segments[0] as Segment).buffers;
  const mayAlias = (a: number, b: number): boolean => mayOverlap(program, buffers[a] as number, buffers[b] as number);
  const slots = slotsOf(body, buffers, context, mayAlias);
  const dtypes = slots.map(({ dtype }) => dtype);
  const parts = partsOf(body, mayAlias);
  const surroundings: Surroundings = { parts, slots, index: indexType(space), vector: 0 };
  const widest = vectorWidthAlong(space, 0, dtypes, false);
  const { width, copies } = spreadOf(total, widest, parts, dtypes, target);
  const round = width * copies * threads;
  const rounds = 2 ** Math.floor(Math.log2(Math.max(1, total / (round * target.multiprocessors * blocksWanted))));
  const chunk = round * Math.min(mostRounds, rounds);

  const starts = [0];
  for (const { size } of segments) starts.push((starts.at(-1) as number) + Math.ceil(size / chunk));
  const constants = [...starts, ...segments.map(({ size }) => size)];
  const { uniforms, status } = bodyNeeds(body);
  const parameters: Parameter[] = [
    {
      type: "const long long*",
      name: "table",
      argument: { kind: "table", buffers: segments.flatMap((segment) => segment.buffers), constants },
      restrict: true,
    },
    { type: "long long", name: "segments", argument: { kind: "number", value: segments.length } },
    ...(uniforms
      ? [
          {
            type: "const unsigned char*",
            name: "uniforms",
            argument: { kind: "uniforms" },
            restrict: true,
          } satisfies Parameter,
        ]
      : []),
    ...(status ? [{ type: "Status*", name: statusName, argument: { kind: "status" } } satisfies Parameter] : []),
  ];
  return kernelLaunch(
    {
      declarations: '#include "segments.cuh"\n',
      parameters,
      body: writeSegment(surroundings, { width, copies, chunk }),
      grid: starts.at(-1) as number,
      block: threads,
    },
    context,
  );
}

/** The kernel's body over one variable, which is not cut or dropped whatever its size. */
function segmentSpace(kernel: LoopKernel, largest: number): ElementwiseSpace {
  // At least two elements: a loop of one would vanish, and its variable with it.
  const { body } = elementwiseSpace({ ...kernel, outer: [Math.max(2, largest)] });
  return { sizes: [largest], body };
}

function slotsOf(
  body: ElementwiseSpace["body"],
  buffers: readonly number[],
  { program }: KernelContext,
  mayAlias: (a: number, b: number) => boolean,
): SlotSource[] {
  const stored = body.filter(isStore).map(({ slot }) => slot);
  return buffers.map((buffer, slot) => ({
    pointer: `p${slot}`,
    dtype: program.buffers[buffer]?.dtype as SlotSource["dtype"],
    readOnly: !stored.some((other) => mayAlias(slot, other)),
  }));
}

/** A block's share: `chunk` elements of one segment. */
function writeSegment(
  surroundings: Surroundings,
  { width, copies, chunk }: { readonly width: number; readonly copies: number; readonly chunk: number },
): string {
  const { slots, index } = surroundings;
  const known = new Map<Value, readonly string[]>();
  const hoisted = writeInvariant(surroundings, 1, known);
  const vectorsPerChunk = chunk / width;
  const points = Array.from({ length: copies }, (_, copy): Point => {
    const at = `g${copy}`;
    const clamped = `(${at} < vectors ? ${at} : vectors - 1)`;
    return {
      declarations: `const ${index} ${at} = base + ${copy * threads} + (${index})threadIdx.x;
const ${index} x${copy} = ${clamped}${width === 1 ? "" : ` * ${width}`};\n`,
      variables: [`x${copy}`],
      width,
      condition: `${at} < vectors`,
    };
  });
  const rest: Point = { declarations: "", variables: ["r"], width: 1 };
  const pointers = slots.map(({ pointer, dtype, readOnly }, slot) => {
    const type = `${readOnly ? "const " : ""}${storageType(dtype)}*`;
    return `${type} ${pointer} = (${type})row[${slot}];\n`;
  });
  return `__shared__ int found;
const long long* starts = table + segments * ${slots.length};
const int segment = findSegment(starts, (int)segments, blockIdx.x, &found);
const long long* row = table + (long long)segment * ${slots.length};
${pointers.join("")}const ${index} size = (${index})starts[segments + 1 + segment];
const ${index} vectors = size / ${width};
const ${index} from = (${index})(blockIdx.x - starts[segment]) * ${vectorsPerChunk};
const ${index} to = from + ${vectorsPerChunk} < vectors ? from + ${vectorsPerChunk} : vectors;
${hoisted}
for (${index} base = from; base < to; base += ${copies * threads}) {
${writePoints(surroundings, points, known, "")}}
${width === 1 ? "" : writeRest(surroundings, rest, known, width, vectorsPerChunk)}`;
}

/** The last elements of the segment, which do not fill a vector: by the last threads of the block whose chunk they end. */
const writeRest = (
  surroundings: Surroundings,
  rest: Point,
  known: ReadonlyMap<Value, readonly string[]>,
  width: number,
  vectorsPerChunk: number,
): string => {
  const { index } = surroundings;
  return `const ${index} r = vectors * ${width} + (${index})(blockDim.x - 1 - threadIdx.x);
if (vectors - from < ${vectorsPerChunk} && r < size) {
${writePoints(surroundings, [rest], known, "r")}}
`;
};
