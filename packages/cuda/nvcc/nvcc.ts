/**
 * The texts of kernels through nvcc, as NVRTC would compile them for a device that need not be there. What ptxas says of
 * each tells what no emulation can: whether its values fit in registers, and whether its static shared memory fits.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deviceFolder } from "../src/device.ts";
import { functionName, translationUnit } from "../src/program/translationUnit.ts";

/** Those that the release is checked on: A100, H100 and H200, B200. */
export const architectures = [80, 90, 100] as const;

/** Path of nvcc: on PATH, in CUDA_HOME, or where toolkits are installed. Undefined without the compiler that it needs too. */
export function findNvcc(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const { PATH = "", CUDA_HOME, CUDA_PATH } = environment;
  const toolkits = [CUDA_HOME, CUDA_PATH, "/usr/local/cuda"].filter((root) => root);
  const folders = [...PATH.split(delimiter), ...toolkits.map((root) => join(root as string, "bin"))];
  const hasCompiler = PATH.split(delimiter).some((folder) => existsSync(join(folder, "g++")));
  return hasCompiler ? folders.map((folder) => join(folder, "nvcc")).find((path) => existsSync(path)) : undefined;
}

/** The architectures of `architectures` that this nvcc knows. */
export function knownArchitectures(nvcc: string): number[] {
  const listed = spawnSync(nvcc, ["--list-gpu-code"], { encoding: "utf8" }).stdout.split("\n");
  return architectures.filter((architecture) => listed.includes(`sm_${architecture}`));
}

/** What ptxas says of one kernel. */
export interface KernelUse {
  readonly source: string;
  readonly registers: number;
  /** Bytes of static shared memory. */
  readonly sharedBytes: number;
  /** Bytes of a thread's local memory: arrays that are indexed by what is not constant, and spills. */
  readonly stackBytes: number;
  readonly spillStores: number;
  readonly spillLoads: number;
}

/** Four registers. */
const savedBytes = 16;

/**
 * Whether values of a kernel do not fit in registers. Not where there are a few: division and square root call a function for
 * the rare numbers that need more steps, and around a call some values may be saved, whatever number of registers is left.
 * In float64 that is what everything beyond a sum does, so it is not asked there.
 */
export const spills = ({ source, spillStores }: KernelUse): boolean =>
  spillStores > savedBytes && !/\b(double|Double|Float64)/.test(source);

export interface NvccResult {
  readonly kernels: readonly KernelUse[];
  /** Lines of nvcc and ptxas that say neither of them. */
  readonly warnings: readonly string[];
}

const number = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);

/** Reads what `ptxas -v` prints: per function a line that names it, one on its stack and spills, one on registers. */
export function readUse(log: string, sources: readonly string[]): NvccResult {
  const kernels = sources.map((source) => {
    const at = log.indexOf(`Compiling entry function '${functionName(source)}'`);
    if (at < 0) throw new Error(`nvcc says nothing of ${functionName(source)}:\n${log}`);
    const next = log.indexOf("Compiling entry function", at + 1);
    const part = log.slice(at, next < 0 ? undefined : next);
    return {
      source,
      registers: number(part, /Used (\d+) registers/),
      sharedBytes: number(part, /(\d+) bytes smem/),
      stackBytes: number(part, /(\d+) bytes stack frame/),
      spillStores: number(part, /(\d+) bytes spill stores/),
      spillLoads: number(part, /(\d+) bytes spill loads/),
    };
  });
  const warnings = log.split("\n").filter((line) => /\bwarning\b/i.test(line));
  return { kernels, warnings };
}

/**
 * Those of program/functions.ts, and ptxas is to talk. nvcc warns, where NVRTC says nothing, of what generated text has by its
 * nature: names that nobody uses (177), a mean of nothing (39), a relu of unsigned numbers (186).
 */
const options = ["-std=c++17", "-fmad=false", "-cubin", "-Xptxas=-v", "-diag-suppress=39,177,186"];

/** Compiles sources (KERNEL still in them) as one unit. Rejects with what nvcc printed if it fails. */
export async function compileByNvcc(
  nvcc: string,
  sources: readonly string[],
  architecture: number,
): Promise<NvccResult> {
  const folder = mkdtempSync(join(tmpdir(), "thalweg-nvcc-"));
  try {
    const file = join(folder, "kernels.cu");
    writeFileSync(file, translationUnit(sources));
    const include = `-I${fileURLToPath(deviceFolder)}`;
    const args = [`-arch=sm_${architecture}`, ...options, include, file, "-o", join(folder, "kernels.cubin")];
    const { status, log } = await outcome(nvcc, args);
    if (status !== 0) throw new Error(`nvcc for sm_${architecture} failed (${status}):\n${log}`);
    return readUse(log, sources);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function outcome(command: string, args: readonly string[]): Promise<{ status: number | string; log: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        log += text;
      });
    }
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ status: code ?? signal ?? "killed", log }));
  });
}
