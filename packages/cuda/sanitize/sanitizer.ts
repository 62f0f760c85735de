/** The addon and the emulated driver under AddressSanitizer and UBSan: how they are built, and how Node runs with them. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { addonFile, nativeFolder } from "../src/native/load.ts";

const native = nativeFolder() as string;
const output = join(native, "build/sanitized");
export const sanitizedAddon = join(output, "Release", addonFile);

/** Paths of the sanitizers' libraries, of the compiler that CMake will take; or what is missing. */
export function findSanitizers(): readonly string[] | { readonly missing: string } {
  const compiler = process.env.CXX || "c++";
  if (process.platform !== "linux") return { missing: "Linux" };
  for (const tool of ["cmake", compiler]) {
    if (spawnSync(tool, ["--version"]).status !== 0) return { missing: tool };
  }
  const libraries = ["libasan.so", "libubsan.so"].map((name) =>
    spawnSync(compiler, [`-print-file-name=${name}`], { encoding: "utf8" }).stdout.trim(),
  );
  const missing = libraries.find((path) => !isAbsolute(path) || !existsSync(path));
  return missing === undefined ? libraries : { missing: `${missing} of ${compiler}` };
}

export interface Finished {
  /** The exit code, or the signal that ended it. */
  readonly status: number | string;
  /** What it printed, on both streams. */
  readonly output: string;
}

function run(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv, onOutput?: (text: string) => void) {
  return new Promise<Finished>((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, env });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        onOutput?.(piece);
      });
    }
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ status: code ?? signal ?? "killed", output: text }));
  });
}

/** Compiles both libraries with the sanitizers into a folder of their own. Rejects with what the tools printed if they fail. */
export async function buildSanitized(): Promise<void> {
  const cmake = createRequire(join(native, "package.json")).resolve("cmake-js/bin/cmake-js");
  const options = ["--out", output, "--CDTHALWEG_WERROR=ON", "--CDTHALWEG_SANITIZE=ON"];
  const { status, output: log } = await run([cmake, "compile", ...options], native, process.env);
  if (status !== 0) throw new Error(`the sanitized addon was not built (${status}):\n${log}`);
}

const environment = (libraries: readonly string[]): NodeJS.ProcessEnv => ({
  // A runner of tests must not take this one for a part of itself, nor write where the outer one reports.
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|THALWEG_|NODE_OPTIONS)/.test(name))),
  THALWEG_CUDA_ADDON: sanitizedAddon,
  // Node itself is not instrumented, so what watches its memory must be there before it.
  LD_PRELOAD: libraries.join(" "),
  // Not leaks: Node and V8 leave memory to the end of the process. That the addon gives back what it takes is shown by its
  // own tests, which ask the driver how much is free.
  ASAN_OPTIONS: "detect_leaks=0",
  UBSAN_OPTIONS: "print_stacktrace=1",
  // Kernels are C++ here, so they are watched too. Not their stacks, which change under AddressSanitizer's feet.
  THALWEG_CUDA_EMULATION_FLAGS: [
    "-g1",
    "-fsanitize=address --param=asan-stack=0",
    "-fsanitize=undefined -fno-sanitize=null,vptr",
  ].join(" "),
});

/** Runs Node under the sanitizers, in the repository's root. */
export const runSanitized = (
  libraries: readonly string[],
  args: readonly string[],
  onOutput?: (text: string) => void,
): Promise<Finished> =>
  run(args, fileURLToPath(new URL("../../..", import.meta.url)), environment(libraries), onOutput);

/** Cases that look at memory call the collector. */
const script = (name: string): string[] => [
  "--expose-gc",
  "--conditions=@thalweg/source",
  fileURLToPath(new URL(name, import.meta.url)),
];

/** What is run: arguments of Node. */
export const sanitizedRuns = {
  addonTests: ["node_modules/vitest/vitest.mjs", "run", "--project", "cuda", "src/native/addon.test.ts"],
  /** Cases of the suite by patterns. */
  conformance: (patterns: readonly string[]): string[] => [...script("conformance.ts"), ...patterns],
  /** A kernel that writes beyond an array. */
  fault: (by: "index" | "pointer"): string[] => [...script("fault.ts"), by],
};

/** Cases that between them use all of the addon, in some seconds: graphs, products, errors, many contexts, much memory. */
export const slice = [
  "memory/instances share nothing",
  "memory/what is written and what is read are copies",
  "memory/a step that fails 30 times",
  "determinism/three steps of training gpt: a second run",
  "determinism/updates of many parameters in one kernel: a second run",
  "determinism/convolution in groups with strides, and its gradients: a second run",
  "errors/take of index the size",
  "ops/softmax*",
  "ops/argSort*",
];
