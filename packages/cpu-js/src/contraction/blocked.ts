/**
 * Source of a contraction in blocks: C[rows, columns] = Σ_depth A[rows, depth] · B[depth, columns], where columns and depth
 * may each be several axes. Blocks of both operands are packed into panels; the micro-kernel adds their product to a block
 * of sums in double precision; when the depth is through, the epilogue runs over the block.
 */
import type { ComputeDType } from "@thalweg/core/backend";
import type { EpilogueEmitter } from "../kernelSource.ts";
import { type Axis, blockLoops, countNames, countOf, fromNames, isWhole, longest, productOf } from "./axis.ts";
import { type FinishVariable, finishSource } from "./finish.ts";
import { tileColumns, tileRows } from "./microKernel.ts";
import { packCounts, packSource } from "./pack.ts";

export interface PackedOperand {
  /** JavaScript name of the array. */
  readonly array: string;
  readonly read: (array: string, index: string) => string;
  /** JavaScript of the index of the block's first element. */
  readonly start: string;
  /** Strides over the axes of its lanes (rows or columns). */
  readonly lanes: readonly number[];
  /** Strides over the axes of the depth. */
  readonly depth: readonly number[];
}

export interface BlockedProblem {
  /** Distinguishes the functions of several problems in one kernel. */
  readonly suffix: string;
  readonly dtype: ComputeDType;
  readonly integer: boolean;
  /** Loops around everything, by variable name. */
  readonly outer: readonly { readonly name: string; readonly size: number }[];
  readonly rows: Axis;
  readonly columns: readonly Axis[];
  readonly depth: readonly Axis[];
  readonly a: PackedOperand;
  readonly b: PackedOperand;
  /** Statement that must run before B is packed, and the functions it calls. */
  readonly prepare?: { readonly call: string; readonly source: string; readonly length: number };
  /** The epilogue's variables; their loops' strides are in terms of `sumStride`. */
  readonly variables: readonly FinishVariable[];
  readonly slots: readonly string[];
  readonly emit: EpilogueEmitter;
  /** Names of the kernel's arrays. */
  readonly arrays: readonly string[];
}

/** Elements of the shared arrays a problem needs. */
export interface ScratchLengths {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly image: number;
}

export interface BlockedSource {
  /** Function declarations. */
  readonly source: string;
  /** Declarations that fetch the micro-kernels. */
  readonly kernels: readonly string[];
  /** Name of the function to call with (…arrays, uniforms). */
  readonly name: string;
  readonly usesUniforms: boolean;
  readonly scratch: ScratchLengths;
}

const multiply = (numbers: readonly number[]): number => numbers.reduce((product, n) => product * n, 1);
const paddedColumns = (columns: readonly Axis[]): number =>
  Math.ceil(multiply(columns.map(longest)) / tileColumns) * tileColumns;

/** Distance of two rows in the block of sums. */
export const sumStride = (columns: readonly Axis[]): number => paddedColumns(columns);

const unroll = 4;

export function blockedSource(problem: BlockedProblem): BlockedSource {
  const { suffix, rows, columns, depth, a, b, outer, prepare, integer, arrays } = problem;
  const stride = sumStride(columns);
  const spread = (axes: readonly Axis[], strides: readonly number[]) =>
    axes.map((axis, index) => ({ axis, stride: strides[index] as number }));
  const packA = {
    name: `packA${suffix}`,
    target: "panelsA",
    read: a.read,
    lanes: spread([rows], a.lanes),
    depth: spread(depth, a.depth),
    rest: "narrow",
  } as const;
  const packB = {
    name: `packB${suffix}`,
    target: "panelsB",
    read: b.read,
    lanes: spread(columns, b.lanes),
    depth: spread(depth, b.depth),
    rest: "fill",
  } as const;

  const outerNames = outer.map(({ name }) => name);
  const parameters = [
    ...arrays,
    "uniforms",
    ...outerNames,
    ...fromNames([rows, ...columns]),
    ...countNames([rows, ...columns]),
  ];
  const finish = finishSource({ ...problem, name: `finish${suffix}`, parameters, sums: "sums" });

  const depthCount = productOf(depth.map(countOf));
  const kernels = new Set<string>();
  /** Expression of the micro-kernel for so many rows. */
  const micro = (height: number): string => {
    const name = (steps: number) => {
      kernels.add(
        `const micro${height}x${steps}${integer ? "i" : ""} = $microKernel(${height}, ${steps}, ${integer});`,
      );
      return `micro${height}x${steps}${integer ? "i" : ""}`;
    };
    if (/^\d+$/.test(depthCount)) return name(Number(depthCount) % unroll === 0 ? unroll : 1);
    return `(depth % ${unroll} === 0 ? ${name(unroll)} : ${name(1)})`;
  };
  const rest = rows.size % tileRows;
  const multiplyRows = (height: number) =>
    `${micro(height)}(panelsA, panelsB, sums, Math.imul(row, depth), Math.imul(row, ${stride}), depth, panels, ${stride}, add);`;
  const product = [
    rows.size >= tileRows
      ? `for (; (row + ${tileRows - 1} | 0) < ${countOf(rows)}; row = row + ${tileRows} | 0) ${multiplyRows(tileRows)}`
      : "",
    rest > 0 ? `if (row < ${countOf(rows)}) ${multiplyRows(rest)}` : "",
  ].join("\n");

  const packACall = `packA${suffix}(${[a.array, a.start, ...packCounts(packA)].join(", ")});`;
  const packBCall = `${prepare?.call ?? ""}\npackB${suffix}(${[b.array, b.start, ...packCounts(packB)].join(", ")});`;
  const oneDepth = depth.every(isWhole);
  const oneA = oneDepth && isWhole(rows);
  const empty = depth.some((axis) => axis.size === 0);
  const step = `${oneDepth ? "" : packBCall}
${oneA ? "" : packACall}
const depth = ${depthCount};
let row = 0;
${product}
add = true;`;
  const accumulate = empty
    ? `for (let i = 0; i < ${stride * longest(rows)}; i = i + 1 | 0) sums[i] = 0;`
    : `let add = false;\n${blockLoops(depth, `{\n${step}\n}`)}`;
  const block = `${accumulate}\nfinish${suffix}(${parameters.join(", ")});`;
  const columnBlock = `const panels = (${productOf(columns.map(countOf))} + ${tileColumns - 1}) / ${tileColumns} | 0;
${oneDepth && !empty ? packBCall : ""}
${blockLoops([rows], `{\n${block}\n}`)}`;
  const body = `${oneA && !empty ? packACall : ""}\n${blockLoops(columns, `{\n${columnBlock}\n}`)}`;
  const nothing = rows.size === 0 || columns.some((axis) => axis.size === 0);
  const loops = outer.reduceRight(
    (inner, { name, size }) => `for (let ${name} = 0; ${name} < ${size}; ${name} = ${name} + 1 | 0) {\n${inner}\n}`,
    nothing ? "" : body,
  );

  const longestDepth = multiply(depth.map(longest));
  const functions = empty ? [] : [prepare?.source ?? "", packSource(packA), packSource(packB)];
  const name = `run${suffix}`;
  return {
    name,
    source: [
      ...functions,
      finish.source,
      `function ${name}(${[...arrays, "uniforms"].join(", ")}) {\n${loops}\n}`,
    ].join("\n"),
    kernels: empty ? [] : [...kernels],
    usesUniforms: finish.usesUniforms,
    scratch: {
      a: longest(rows) * longestDepth,
      b: stride * longestDepth,
      c: stride * longest(rows),
      image: prepare?.length ?? 0,
    },
  };
}

/** One kernel from several problems, done one after the other. */
export function assemble(
  problems: readonly BlockedSource[],
  {
    names,
    comment,
    declarations,
  }: { readonly names: readonly string[]; readonly comment: string; readonly declarations: string },
): { readonly source: string; readonly usesUniforms: boolean } {
  const usesUniforms = problems.some((problem) => problem.usesUniforms);
  const need = (key: keyof ScratchLengths) => Math.max(0, ...problems.map((problem) => problem.scratch[key]));
  const kernels = [...new Set(problems.flatMap((problem) => problem.kernels))];
  const parameters = [...names, ...(usesUniforms ? ["uniforms"] : [])].join(", ");
  const calls = problems.map(
    ({ name }) => `${name}(${[...names, usesUniforms ? "uniforms" : "undefined"].join(", ")});`,
  );
  const source = `(() => {
${comment}
const { a: panelsA, b: panelsB, c: sums, image } = $contractionScratch(${need("a")}, ${need("b")}, ${need("c")}, ${need("image")});
${declarations}
${kernels.join("\n")}
${problems.map((problem) => problem.source).join("\n")}
return function (${parameters}) {
${calls.join("\n")}
};
})()`;
  return { source, usesUniforms };
}
