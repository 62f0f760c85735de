/** Element-wise kernels over one set of buffers. */
import { type DType, type LoopKernel, mayOverlap, sizeOf, type Value } from "@thalweg/core/backend";
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { KernelContext, KernelLaunch } from "../kernel/launch.ts";
import { bodyParameters } from "../source/index.ts";
import { partsOf } from "./elementwiseParts.ts";
import { indexType, spreadOf, vectorWidthAlong } from "./elementwisePlan.ts";
import { type IndexType, type Point, type Surroundings, writeInvariant, writePoints } from "./elementwisePoints.ts";
import { type ElementwiseSpace, elementwiseSpace } from "./elementwiseSpace.ts";
import { transposeLaunch } from "./transpose.ts";

/** `buffers`: of the kernel's slots. Undefined when there is nothing to do. */
export function elementwiseLaunch(
  kernel: LoopKernel,
  buffers: readonly number[],
  context: KernelContext,
): KernelLaunch | undefined {
  if (sizeOf(kernel.outer) === 0) return undefined;
  const space = elementwiseSpace(kernel);
  const { parameters, slots } = bodyParameters([space.body], buffers, context.program);
  const dtypes = slots.map(({ dtype }) => dtype);
  const mayAlias = (a: number, b: number): boolean =>
    mayOverlap(context.program, buffers[a] as number, buffers[b] as number);
  const parts = partsOf(space.body, mayAlias);
  const vector = space.sizes.length === 0 ? undefined : space.sizes.length - 1;
  const surroundings: Surroundings = { parts, slots, index: indexType(space), vector };
  return (
    transposeLaunch(space, surroundings, parameters, context) ??
    linearLaunch(space, surroundings, parameters, dtypes, context)
  );
}

/** Threads in a line over all elements, neighbours along the last variable. */
function linearLaunch(
  space: ElementwiseSpace,
  surroundings: Surroundings,
  parameters: readonly Parameter[],
  dtypes: readonly DType[],
  context: KernelContext,
): KernelLaunch {
  const { sizes } = space;
  const { parts, index, vector } = surroundings;
  const elements = sizeOf(sizes);
  const widest = vector === undefined ? 1 : vectorWidthAlong(space, vector, dtypes, sizes.length > 1);
  const { width, copies, threads } = spreadOf(elements, widest, parts, dtypes, context.target);
  const vectors = Math.floor(elements / width);
  const blocks = Math.ceil(vectors / (threads * copies));
  const known = new Map<Value, readonly string[]>();
  const hoisted = writeInvariant(surroundings, sizes.length, known);

  // One variable needs no divisions, so its size can be an argument: layers of different sizes share one function.
  const single = sizes.length === 1;
  const size: Parameter = { type: "long long", name: "elements", argument: { kind: "number", value: elements } };
  const count = single ? "vectors" : `${vectors}`;
  const points = Array.from({ length: copies }, (_, copy): Point => {
    const at = `g${copy}`;
    // Places that do not exist load what the last one does, and store nothing.
    const clamped = copies === 1 ? at : `c${copy}`;
    const clamp = copies === 1 ? "" : `const ${index} ${clamped} = ${at} < ${count} ? ${at} : ${count} - 1;\n`;
    const { declarations, names } = coordinates(clamped, sizes, width, index, `_${copy}`);
    return {
      declarations: `const ${index} ${at} = first${copy === 0 ? "" : ` + ${copy * threads}`};\n${clamp}${declarations}`,
      variables: names,
      width,
      ...(copies === 1 ? {} : { condition: `${at} < ${count}` }),
    };
  });
  const main = writePoints(surroundings, points, known, "");
  const rest = single && width > 1 && elements % width !== 0 ? writeRest(surroundings, known, width) : "";
  const body = `${single ? `const ${index} vectors = (${index})elements / ${width};\n` : ""}const ${index} first = (${index})blockIdx.x * ${threads * copies} + (${index})threadIdx.x;
${hoisted}${rest}${copies === 1 ? `if (first >= ${count}) return;\n` : ""}${main}`;
  return kernelLaunch(
    { parameters: single ? [...parameters, size] : parameters, body, grid: blocks, block: threads },
    context,
  );
}

/** The last elements, which do not fill a vector: by the last threads, which are idle if any are. */
function writeRest(surroundings: Surroundings, known: ReadonlyMap<Value, readonly string[]>, width: number): string {
  const { index } = surroundings;
  const point: Point = { declarations: "", variables: ["r"], width: 1 };
  return `const ${index} r = vectors * ${width} + (${index})(blockDim.x - 1 - threadIdx.x);
if (blockIdx.x == gridDim.x - 1 && r < (${index})elements) {
${writePoints(surroundings, [point], known, "r")}}
`;
}

/** The variables at vector number `at`, which is less than their count. Divisions are of unsigned numbers, which are cheaper. */
function coordinates(
  at: string,
  sizes: readonly number[],
  width: number,
  index: IndexType,
  suffix: string,
): { declarations: string; names: string[] } {
  const type = index === "int" ? "unsigned" : "unsigned long long";
  const names = sizes.map((_size, variable) => `i${variable}${suffix}`);
  const lines: string[] = [];
  let left = `(${type})${at}`;
  for (let variable = sizes.length - 1; variable >= 0; variable--) {
    const unit = variable === sizes.length - 1 ? width : 1;
    const size = (sizes[variable] as number) / unit;
    const times = unit === 1 ? "" : ` * ${unit}`;
    const part = variable === 0 ? left : `${left} % ${size}u`;
    lines.push(`const ${index} ${names[variable]} = (${index})(${part})${times};\n`);
    if (variable > 0) {
      const next = `q${variable}${suffix}`;
      lines.push(`const ${type} ${next} = ${left} / ${size}u;\n`);
      left = next;
    }
  }
  return { declarations: lines.join(""), names };
}
