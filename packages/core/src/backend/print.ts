/** Programs as text a person can read, and what they cost in memory traffic. */
import { bytesPerElement } from "../graph/dtype.ts";
import { formatShape } from "../graph/shape.ts";
import { type Access, accessesOf, convolutionShapes, valueName } from "./accesses.ts";
import { distinctAddresses } from "./bounds.ts";
import type { Affine, BufferSpec, Condition, Instruction, Kernel, KernelKind, Operand, Program } from "./program.ts";

export interface KernelStatistics {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export interface ProgramStatistics extends KernelStatistics {
  readonly kernels: number;
  readonly byKind: Readonly<Partial<Record<KernelKind, number>>>;
  readonly arenaBytes: number;
  /**
   * What any Program for this work must move: each input and parameter that is read, once; each output and parameter
   * that is written, once; nothing in between.
   */
  readonly leastBytes: number;
}

function bytesTouched(program: Program, accesses: readonly Access[]): number {
  let bytes = 0;
  for (const [buffer, touches] of Map.groupBy(accesses, (access) => access.buffer)) {
    const views = new Map<string, number>();
    for (const { at, conditions, sizes } of touches) {
      const view = JSON.stringify([at, conditions, sizes]);
      if (!views.has(view)) views.set(view, distinctAddresses(at, conditions, sizes));
    }
    const elements = [...views.values()].reduce((total, count) => total + count, 0);
    const { size, dtype } = program.buffers[buffer] as BufferSpec;
    bytes += Math.min(elements, size) * bytesPerElement(dtype);
  }
  return bytes;
}

/**
 * Bytes a kernel must move at least: each element of a buffer that it touches counts once, however often it is loaded (a
 * broadcast scalar is one element). Different views of one buffer add up, to the whole buffer at most.
 */
export function kernelStatistics(program: Program, kernel: Kernel): KernelStatistics {
  const accesses = accessesOf(kernel);
  return {
    bytesRead: bytesTouched(
      program,
      accesses.filter(({ kind }) => kind === "read"),
    ),
    bytesWritten: bytesTouched(
      program,
      accesses.filter(({ kind }) => kind === "write"),
    ),
  };
}

/** Sums of `kernelStatistics` over the Program, the number of kernels of each kind, and the size of the arena. */
export function programStatistics(program: Program): ProgramStatistics {
  const byKind: Partial<Record<KernelKind, number>> = {};
  let [bytesRead, bytesWritten] = [0, 0];
  for (const kernel of program.kernels) {
    byKind[kernel.kind] = (byKind[kernel.kind] ?? 0) + 1;
    const statistics = kernelStatistics(program, kernel);
    bytesRead += statistics.bytesRead;
    bytesWritten += statistics.bytesWritten;
  }
  const { arenaBytes, kernels } = program;
  return { kernels: kernels.length, byKind, bytesRead, bytesWritten, arenaBytes, leastBytes: leastBytes(program) };
}

function leastBytes(program: Program): number {
  const bound = program.kernels
    .flatMap((kernel) => accessesOf(kernel))
    .filter(({ buffer }) => program.buffers[buffer]?.kind !== "temporary");
  const of = (kind: Access["kind"]): number =>
    bytesTouched(
      program,
      bound.filter((access) => access.kind === kind),
    );
  return of("read") + of("write");
}

export interface PrintOptions {
  /** One line per kernel, without buffers and bodies. Default false. */
  readonly brief?: boolean;
}

/** `1.5 KiB`, `37 B`: at most four digits. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? value : value.toFixed(value < 100 ? 1 : 0)} ${units[unit]}`;
}

/**
 * The Program as text: a header with its kernels, uniforms, arena and traffic; the buffers it uses; then every kernel with
 * its label, iteration space, bytes read and written, and its body in SSA form.
 */
export function printProgram(program: Program, { brief = false }: PrintOptions = {}): string {
  const { bytesRead, bytesWritten, byKind, leastBytes } = programStatistics(program);
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const kinds = Object.entries(byKind).map(([kind, n]) => `${n} ${kind}`);
  const lines = [
    `program: ${count(program.kernels.length, "kernel")}${kinds.length > 0 ? ` (${kinds.join(", ")})` : ""}, ` +
      `${count(program.uniforms.length, "uniform")}, arena ${formatBytes(program.arenaBytes)}`,
    `moves ${formatBytes(bytesRead + bytesWritten)}: reads ${formatBytes(bytesRead)}, writes ${formatBytes(bytesWritten)}; ` +
      `at least ${formatBytes(leastBytes)} whatever the kernels (inputs and parameters read once, results written once)`,
  ];
  if (!brief) {
    program.uniforms.forEach(({ name, dtype }, index) => {
      lines.push(`uniform u${index}: ${dtype} ${name}`);
    });
    lines.push(...bufferLines(program));
  }
  program.kernels.forEach((kernel, index) => {
    const { bytesRead: reads, bytesWritten: writes } = kernelStatistics(program, kernel);
    const traffic = `reads ${formatBytes(reads)}, writes ${formatBytes(writes)}`;
    if (!brief) lines.push("");
    lines.push(`kernel ${index}: ${kernel.kind} "${kernel.label}", ${spaceOf(kernel)}; ${traffic}`);
    if (!brief) lines.push(...kernelLines(kernel).map((line) => `  ${line}`));
  });
  return `${lines.join("\n")}\n`;
}

function bufferLines(program: Program): string[] {
  const used = new Set(program.kernels.flatMap((kernel) => accessesOf(kernel).map(({ buffer }) => buffer)));
  return program.buffers.flatMap(({ dtype, size, kind, offset, name }, index) => {
    if (!used.has(index) && kind === "temporary") return [];
    const place = kind === "temporary" ? ` at ${offset}` : "";
    return [
      `b${index}: ${kind} ${dtype}[${size}]${place}${name ? ` ${name}` : ""}${used.has(index) ? "" : " (unused)"}`,
    ];
  });
}

/** The iteration space in a few words. */
function spaceOf(kernel: Kernel): string {
  switch (kernel.kind) {
    case "loop": {
      const { outer, inner, segments } = kernel;
      const over = `outer ${formatShape(outer)}${inner.length > 0 ? ` inner ${formatShape(inner)}` : ""}`;
      return segments.length > 1 ? `${over} in ${segments.length} segments` : over;
    }
    case "matmul": {
      const { batch, m, n, k } = kernel;
      return `${batch.length > 0 ? `batch ${formatShape(batch)} ` : ""}m ${m} n ${n} k ${k}`;
    }
    case "conv2d":
    case "conv2dInputGradient":
    case "conv2dWeightGradient":
      return `x ${formatShape(kernel.x)} weight ${formatShape(kernel.weight)} y ${formatShape(kernel.y)}`;
    case "scatterAdd":
      return `axis ${kernel.axis} of ${formatShape(kernel.shape)} into ${formatShape(kernel.targetShape)}`;
    case "cumSum":
    case "argSort":
      return `axis of ${kernel.size} in ${formatShape([kernel.outer, kernel.size, kernel.inner])}`;
    default:
      return kernel satisfies never;
  }
}

const numbered = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}${i}`);

/** `4·outer0 - inner1 + 2`. */
function formatAffine({ offset, strides, dynamic = [] }: Affine, variables: readonly string[]): string {
  const terms: [number, string][] = strides.map((stride, axis) => [stride, variables[axis] as string]);
  for (const { value, stride, size } of dynamic) terms.push([stride, `${valueName(value)}<${size}`]);
  let text = "";
  for (const [stride, name] of [...terms.filter(([stride]) => stride !== 0), [offset, ""] as [number, string]]) {
    if (name === "" && stride === 0 && text !== "") continue;
    const size = Math.abs(stride);
    const bracketed = name.includes("<") ? `(${name})` : name;
    const term = name === "" ? `${size}` : size === 1 ? bracketed : `${bracketed}·${size}`;
    text += text === "" ? `${stride < 0 ? "-" : ""}${term}` : ` ${stride < 0 ? "-" : "+"} ${term}`;
  }
  return text;
}

const formatConditions = (conditions: readonly Condition[], variables: readonly string[]): string =>
  conditions.map(({ affine, lo, hi }) => `${lo} ≤ ${formatAffine(affine, variables)} < ${hi}`).join(" and ");

const formatNumber = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

/** One instruction; `slots` names what each slot is. */
function formatInstruction(instruction: Instruction, variables: readonly string[], slots: readonly string[]): string {
  const names = (args: readonly number[]) => args.map(valueName).join(" ");
  const element = (slot: number, at: Affine) => `${slots[slot]}[${formatAffine(at, variables)}]`;
  const defines = `${valueName(instruction.id)} = ${instruction.op}`;
  switch (instruction.op) {
    case "constant":
      return `${defines} ${formatNumber(instruction.value)} ${instruction.dtype}`;
    case "uniform":
      return `${defines} u${instruction.uniform}`;
    case "index":
      return `${defines} ${formatAffine(instruction.affine, variables)}`;
    case "inside":
      return `${defines} ${formatConditions(instruction.conditions, variables)}`;
    case "load": {
      const conditions = formatConditions(instruction.conditions ?? [], variables);
      return `${defines} ${element(instruction.slot, instruction.at)}${conditions && ` if ${conditions}`}`;
    }
    case "cast":
      return `${defines} ${names(instruction.args)} to ${instruction.dtype}`;
    case "roundTo":
      return `${defines} ${names(instruction.args)} to ${instruction.to}`;
    case "accumulator":
      return defines;
    case "reduce":
      return `${defines} ${instruction.fn} ${valueName(instruction.value)}`;
    case "store":
      return `store ${element(instruction.slot, instruction.at)} ${valueName(instruction.value)}`;
    default:
      return `${defines} ${names(instruction.args)}`;
  }
}

/** Loop variables of a contraction's result, and of its operands where they are strided views. */
function resultVariables(kernel: Extract<Kernel, { epilogue: unknown }>): readonly string[] {
  switch (kernel.kind) {
    case "matmul":
      return [...numbered("batch", kernel.batch.length), "i", "j"];
    case "conv2d":
      return ["n", "o", "oh", "ow"];
    case "conv2dInputGradient":
      return ["n", "c", "h", "w"];
    case "conv2dWeightGradient":
      return ["o", "c", "kh", "kw"];
    default:
      return kernel satisfies never;
  }
}

const formatOperand = ({ buffer, offset, strides }: Operand, variables: readonly string[]): string =>
  `b${buffer}[${formatAffine({ offset, strides }, variables)}]`;

function kernelLines(kernel: Kernel): string[] {
  switch (kernel.kind) {
    case "loop": {
      const variables = [...numbered("outer", kernel.outer.length), ...numbered("inner", kernel.inner.length)];
      const several = kernel.segments.length > 1;
      const slots = (kernel.segments[0]?.buffers ?? []).map((buffer, slot) => (several ? `s${slot}` : `b${buffer}`));
      const segments = kernel.segments.map(
        ({ size, buffers }, index) =>
          `segment ${index}: ${size} × ${buffers.map((b, slot) => `s${slot}=b${b}`).join(" ")}`,
      );
      return [
        ...(several ? segments : []),
        ...kernel.stages.flatMap(({ over, body }) => [
          `${over}:`,
          ...body.map((instruction) => `  ${formatInstruction(instruction, variables, slots)}`),
        ]),
      ];
    }
    case "matmul":
    case "conv2d":
    case "conv2dInputGradient":
    case "conv2dWeightGradient": {
      const variables = resultVariables(kernel);
      const slots = kernel.epilogue.buffers.map((buffer) => `b${buffer}`);
      return [
        contractionLine(kernel),
        "epilogue:",
        ...kernel.epilogue.body.map((instruction) => `  ${formatInstruction(instruction, variables, slots)}`),
      ];
    }
    case "scatterAdd": {
      const variables = numbered("p", kernel.shape.length);
      const place = variables.map((name, axis) => (axis === kernel.axis ? "index" : name)).join(", ");
      return [
        `index = ${formatOperand(kernel.index, variables)}`,
        `b${kernel.target}[${place}] += ${formatOperand(kernel.source, variables)}`,
      ];
    }
    case "cumSum":
      return [`b${kernel.output} = running sums of b${kernel.input}`];
    case "argSort":
      return [`b${kernel.output} = ${kernel.descending ? "descending" : "ascending"} order of b${kernel.input}`];
    default:
      return kernel satisfies never;
  }
}

function contractionLine(kernel: Extract<Kernel, { epilogue: unknown }>): string {
  if (kernel.kind === "matmul") {
    const batch = numbered("batch", kernel.batch.length);
    const a = formatOperand(kernel.a, [...batch, "i", "c"]);
    return `accumulator = sum over c of ${a} · ${formatOperand(kernel.b, [...batch, "c", "j"])}, ${kernel.dtype}`;
  }
  const { stride, padding, dilation, groups } = kernel.geometry;
  const shapes = convolutionShapes(kernel);
  return (
    `accumulator = ${kernel.kind} of b${kernel.a} ${formatShape(shapes.a)} and b${kernel.b} ${formatShape(shapes.b)}, ` +
    `stride ${stride.join("×")} padding ${padding.join("×")} dilation ${dilation.join("×")} groups ${groups}, ${kernel.dtype}`
  );
}
