/**
 * `npm run nvcc`: every kernel of the conformance suite and of the benchmarks, compiled by nvcc for each architecture. Fails
 * if one does not compile, or spills registers. The suite has more than ten thousand, of which each takes a tenth of a second.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { functionName } from "../src/program/translationUnit.ts";
import { conformancePrograms, workloadPrograms } from "./collect.ts";
import { compileByNvcc, findNvcc, type KernelUse, knownArchitectures, spills } from "./nvcc.ts";
import { representativeSamples } from "./representative.ts";
import { targetOf, textsOf } from "./texts.ts";

const usage = `Options:
  --architectures 80,90   instead of all that this nvcc knows
  --of suite,benchmarks   instead of both
  --only PATTERN          cases of the suite, as in \`thalweg conformance\`
  --jobs N                compilers at once
  --out FOLDER            where texts that fail, and those that spill, are written`;

/** Kernels of one unit: as many as make nvcc's start a small part, and few enough to keep all jobs busy. */
const unitSize = 64;

const { values } = parseArgs({
  options: {
    architectures: { type: "string" },
    of: { type: "string", default: "suite,benchmarks" },
    only: { type: "string" },
    jobs: { type: "string", default: String(availableParallelism()) },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

interface Failed {
  readonly source: string;
  readonly log: string;
}

/** Compiles a unit; one that fails is halved until it is known which of its texts do. */
async function compileUnit(
  nvcc: string,
  sources: readonly string[],
  architecture: number,
): Promise<{ kernels: KernelUse[]; failed: Failed[]; warnings: string[] }> {
  try {
    const { kernels, warnings } = await compileByNvcc(nvcc, sources, architecture);
    return { kernels: [...kernels], failed: [], warnings: [...warnings] };
  } catch (error) {
    const [source] = sources;
    if (sources.length === 1) {
      const { message: log } = error as Error;
      return { kernels: [], failed: [{ source: source as string, log }], warnings: [] };
    }
    const middle = sources.length >> 1;
    const halves = [sources.slice(0, middle), sources.slice(middle)];
    const parts = [];
    for (const half of halves) parts.push(await compileUnit(nvcc, half, architecture));
    const failed = parts.flatMap((part) => part.failed);
    // Each half compiles, and both together do not: names of one are in the other's way.
    if (failed.length === 0) failed.push({ source: sources.join("\n"), log: (error as Error).message });
    return {
      kernels: parts.flatMap((part) => part.kernels),
      failed,
      warnings: parts.flatMap((part) => part.warnings),
    };
  }
}

function write(folder: string | undefined, architecture: number, source: string, log: string): void {
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  const comment = log.replace(/^/gm, "// ");
  writeFileSync(join(folder, `sm_${architecture}-${functionName(source)}.cu`), `${comment}\n${source}`);
}

const largest = (kernels: readonly KernelUse[], key: keyof Omit<KernelUse, "source">): number =>
  kernels.reduce((most, kernel) => Math.max(most, kernel[key]), 0);

/** Whether everything is as it should be. */
async function sweep(nvcc: string, texts: ReadonlySet<string>, architecture: number): Promise<boolean> {
  const start = performance.now();
  const sources = [...texts];
  const units = Array.from({ length: Math.ceil(sources.length / unitSize) }, (_, i) =>
    sources.slice(unitSize * i, unitSize * (i + 1)),
  );
  const kernels: KernelUse[] = [];
  const failed: Failed[] = [];
  const warnings: string[] = [];
  const work = async (): Promise<void> => {
    for (let unit = units.pop(); unit; unit = units.pop()) {
      const result = await compileUnit(nvcc, unit, architecture);
      kernels.push(...result.kernels);
      failed.push(...result.failed);
      warnings.push(...result.warnings);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  const spilling = kernels.filter(spills);
  for (const { source, log } of failed) {
    write(values.out, architecture, source, log);
    console.log(log);
  }
  for (const { source, registers, spillStores, spillLoads } of spilling) {
    const what = `${registers} registers, ${spillStores} bytes of spill stores, ${spillLoads} of spill loads`;
    write(values.out, architecture, source, what);
    console.log(`sm_${architecture}: ${functionName(source)}: ${what}`);
  }
  for (const warning of new Set(warnings)) console.log(`sm_${architecture}: ${warning}`);
  console.log(
    [
      `sm_${architecture}: ${kernels.length} kernels in ${Math.round((performance.now() - start) / 1000)} s`,
      `${failed.length} failed`,
      `${spilling.length} spill`,
      `${warnings.length} warnings`,
      `at most ${largest(kernels, "registers")} registers`,
      `${largest(kernels, "sharedBytes")} bytes of static shared memory`,
      `${largest(kernels, "stackBytes")} bytes of stack`,
    ].join(", "),
  );
  return failed.length + spilling.length + warnings.length === 0;
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const nvcc = findNvcc();
  if (nvcc === undefined) {
    console.error("There is no nvcc on PATH, in CUDA_HOME, or in /usr/local/cuda/bin, or no g++ for it.");
    return 1;
  }
  const architectures = values.architectures?.split(",").map(Number) ?? knownArchitectures(nvcc);
  const texts = new Map(architectures.map((architecture) => [architecture, new Set<string>()]));
  let programs = 0;
  const collect = (program: Parameters<typeof textsOf>[0], precisions: readonly ("highest" | "tf32")[]): void => {
    programs++;
    for (const [architecture, set] of texts) {
      for (const precision of precisions) {
        const target = targetOf(architecture, { precision, cublasLt: false });
        for (const text of textsOf(program, target)) set.add(text);
      }
    }
  };
  const of = values.of.split(",");
  if (of.includes("suite")) await conformancePrograms((program) => collect(program, ["highest"]), values.only);
  if (of.includes("benchmarks")) {
    await workloadPrograms((program) => collect(program, ["highest", "tf32"]));
    for (const { program, precision } of representativeSamples()) collect(program, [precision]);
  }
  console.log(`${programs} Programs`);
  let good = true;
  for (const [architecture, set] of texts) good = (await sweep(nvcc, set, architecture)) && good;
  return good ? 0 : 1;
}

process.exitCode = await main();
