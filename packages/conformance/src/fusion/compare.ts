/** What ran, in figures, held against what is expected. */
import { useBackend } from "@thalweg/core";
import {
  type Backend,
  formatBytes,
  type KernelKind,
  kernelKinds,
  type Program,
  printProgram,
  programStatistics,
  validateProgram,
} from "@thalweg/core/backend";
import { NotApplicable } from "../case.ts";
import type { Expected, Figures } from "./figures.ts";
import { recording } from "./recording.ts";

type Counts = Readonly<Partial<Record<KernelKind, number>>>;

/** The column of the table that speaks of this backend. */
export function columnOf({ name, capabilities }: Backend): keyof Expected {
  const { kernels } = capabilities;
  if (kernelKinds.every((kind) => kernels.has(kind))) return "every";
  if (kernels.size === 1) return "loops";
  throw new NotApplicable(`${name} compiles some kinds of kernels only; there are figures for all kinds and for loops`);
}

/** The Programs of one run, each of them valid: of the second run where the first one `starts` something. */
export function programsOf(backend: Backend, prepare: () => () => unknown, starts = false): Program[] {
  const recorded = recording(backend);
  useBackend(recorded.backend);
  const run = prepare();
  if (starts) run();
  recorded.take();
  run();
  const programs = recorded.take();
  for (const program of programs) validateProgram(program);
  return programs;
}

const formatCounts = (counts: Counts): string =>
  kernelKinds
    .filter((kind) => counts[kind])
    .map((kind) => `${counts[kind]} ${kind}`)
    .join(", ");

/** `2 loop, 1 matmul` → 3. */
const kernelsIn = (counts: string): number =>
  counts.split(", ").reduce((total, part) => total + Number.parseInt(part, 10), 0);

/** Sums over all Programs; they share one arena. */
export function figuresOf(programs: readonly Program[]): Figures {
  const counts: Partial<Record<KernelKind, number>> = {};
  let [read, written, arena] = [0, 0, 0];
  for (const program of programs) {
    const { byKind, bytesRead, bytesWritten, arenaBytes } = programStatistics(program);
    for (const kind of kernelKinds) if (byKind[kind]) counts[kind] = (counts[kind] ?? 0) + byKind[kind];
    read += bytesRead;
    written += bytesWritten;
    arena = Math.max(arena, arenaBytes);
  }
  return [formatCounts(counts), read, written, arena];
}

const improve = "improve the table (fusion/figures.ts)";

/** Throws when a figure is worse than expected, and when it is better: then the table is behind. */
export function compareFigures(expected: Figures, programs: readonly Program[]): void {
  const got = figuresOf(programs);
  const fail = (message: string): never => {
    throw new Error(`${message}\n${programs.map((program) => printProgram(program, { brief: true })).join("\n")}`);
  };
  const [kernels, most] = [kernelsIn(got[0]), kernelsIn(expected[0])];
  if (kernels > most) fail(`${kernels} kernels, expected at most ${most}: fusion was lost`);
  if (kernels < most) fail(`${kernels} kernels, expected ${most}: ${improve}`);
  if (got[0] !== expected[0]) fail(`the kernels are ${got[0]}, expected ${expected[0]}`);
  for (const [index, what] of [
    [1, "read"],
    [2, "written"],
    [3, "of arena"],
  ] as const) {
    if (got[index] === expected[index]) continue;
    const both = `${got[index]} bytes ${what} (${formatBytes(got[index])})`;
    if (got[index] > expected[index]) fail(`${both}, expected at most ${expected[index]}: fusion was lost`);
    fail(`${both}, expected ${expected[index]}: ${improve}`);
  }
}
