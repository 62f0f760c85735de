/** scatterAdd, cumSum and argSort as JavaScript functions. */
import {
  computeDType,
  contiguousStrides,
  type DType,
  type IndexedKernel,
  type Operand,
  type Program,
} from "@thalweg/core/backend";
import type { KernelSource } from "./kernelSource.ts";
import { loadSource, storedSource, wrap } from "./scalarSource.ts";

type Of<K extends IndexedKernel["kind"]> = Extract<IndexedKernel, { kind: K }>;

const tableOf = (dtype: DType): string => (dtype === "bfloat16" || dtype === "float16" ? `$${dtype}Table()` : "");

/** A number for arithmetic: bools as 0 and 1. */
const element = (dtype: DType, array: string, at: string, table: string): string =>
  dtype === "bool" ? `${array}[${at}]` : loadSource(dtype, array, at, table);

const stored = (dtype: DType, text: string): string =>
  storedSource(dtype, { text, dtype: dtype === "bool" ? "int32" : computeDType(dtype), exact: false });

const sum = (dtype: DType, a: string, b: string): string => wrap(computeDType(dtype), `(${a} + ${b})`);

function scatterAdd(kernel: Of<"scatterAdd">, program: Program): KernelSource {
  const { axis, shape, index, source, target } = kernel;
  const strides = contiguousStrides(kernel.targetShape);
  const dtype = program.buffers[target]?.dtype as DType;
  const address = ({ offset, strides: steps }: Operand): string =>
    steps.reduce((text, stride, i) => (stride === 0 ? text : `${text} + i${i} * ${stride}`), `${offset}`);
  const place = strides.reduce((text, stride, i) => (i === axis ? text : `${text} + i${i} * ${stride}`), "");
  const size = kernel.targetShape[axis] as number;
  const open = shape.map((n, i) => `for (let i${i} = 0; i${i} < ${n}; i${i}++) {`).join("\n");
  return {
    source: `function (target, index, source) {
// ${dtype}
const table = ${tableOf(dtype) || "0"};
${open}
const k = index[${address(index)}];
if (k >>> 0 >= ${size}) $fail(${JSON.stringify(kernel.label)}, k, ${size});
const at = k * ${strides[axis]}${place};
const total = ${sum(dtype, element(dtype, "target", "at", "table"), element(dtype, "source", address(source), "table"))};
target[at] = ${stored(dtype, "total")};
${"}".repeat(shape.length)}
}`,
    buffers: [target, index.buffer, source.buffer],
    usesUniforms: false,
  };
}

/** The loops over every line of [outer, size, inner]: `base` is a line's first element, elements are `inner` apart. */
const overLines = (
  kernel: Of<"cumSum" | "argSort">,
  body: string,
): string => `for (let o = 0; o < ${kernel.outer}; o++) {
for (let i = 0; i < ${kernel.inner}; i++) {
const base = o * ${kernel.size * kernel.inner} + i;
${body}
}
}`;

function cumSum(kernel: Of<"cumSum">, program: Program): KernelSource {
  const { size, inner, input, output } = kernel;
  const from = program.buffers[input]?.dtype as DType;
  const to = program.buffers[output]?.dtype as DType;
  const body = `let total = 0;
for (let k = 0, at = base; k < ${size}; k++, at += ${inner}) {
total = ${sum(from, "total", element(from, "input", "at", "table"))};
output[at] = ${stored(to, "total")};
}`;
  return {
    source: `function (input, output) {\n// ${from}, ${to}\nconst table = ${tableOf(from) || "0"};\n${overLines(kernel, body)}\n}`,
    buffers: [input, output],
    usesUniforms: false,
  };
}

function argSort(kernel: Of<"argSort">, program: Program): KernelSource {
  const { size, inner, descending, input, output } = kernel;
  const dtype = program.buffers[input]?.dtype as DType;
  const body = `for (let k = 0, at = base; k < ${size}; k++, at += ${inner}) keys[k] = ${element(dtype, "input", "at", "table")};
$argSort(keys, ${size}, ${descending}, order, spare);
for (let k = 0, at = base; k < ${size}; k++, at += ${inner}) output[at] = order[k];`;
  return {
    source: `function (input, output, keys, order, spare) {
// ${dtype}
const table = ${tableOf(dtype) || "0"};
${overLines(kernel, body)}
}`,
    buffers: [input, output],
    usesUniforms: false,
    scratch: [
      { dtype: "float64", length: size },
      { dtype: "int32", length: size },
      { dtype: "int32", length: size },
    ],
  };
}

export function compileIndexed(kernel: IndexedKernel, program: Program): KernelSource {
  switch (kernel.kind) {
    case "scatterAdd":
      return scatterAdd(kernel, program);
    case "cumSum":
      return cumSum(kernel, program);
    case "argSort":
      return argSort(kernel, program);
    default:
      return kernel satisfies never;
  }
}
