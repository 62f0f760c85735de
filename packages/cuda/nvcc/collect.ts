/** The Programs of everything that Thalweg tests and measures. */
import { thalwegRunner, workloads } from "@thalweg/bench";
import { type BackendOptions, runCases } from "@thalweg/conformance";
import { builtInCases } from "@thalweg/conformance/node";
import { type Backend, BackendError, type Program } from "@thalweg/core/backend";
import { wasm } from "@thalweg/wasm";
import { blankBackend, tellingBackend } from "./texts.ts";

export type OnProgram = (program: Program) => void;

/** Starting values come from the host: workloads beyond this would take longer to set up than all kernels to compile. */
const mostBytes = 8e9;

function checkAlike(computing: Backend): void {
  for (const key of ["dtypes", "kernels"] as const) {
    const has = computing.capabilities[key] as ReadonlySet<string>;
    const missing = [...blankBackend().capabilities[key]].filter((name) => !has.has(name));
    if (missing.length > 0)
      throw new BackendError("nvcc", `${computing.name} lacks ${missing.join(", ")}: its Programs are others`);
  }
}

/** Those of the conformance suite: its cases look at what they compute, so WebAssembly computes. Rejects if any fails. */
export async function conformancePrograms(onProgram: OnProgram, only?: string): Promise<void> {
  const create = async (options?: BackendOptions): Promise<Backend> => {
    const backend = await wasm(options);
    checkAlike(backend);
    return tellingBackend(backend, onProgram);
  };
  const { failures } = await runCases(create, builtInCases(), only === undefined ? {} : { only });
  const [failure] = failures;
  if (failure) throw new BackendError("nvcc", `${failure.layer}/${failure.case}: ${failure.message}`);
}

/** Those of the benchmarks; nothing is computed. */
export async function workloadPrograms(onProgram: OnProgram): Promise<void> {
  const runner = thalwegRunner(blankBackend(onProgram));
  for (const { name, spec, largeBytes = 0 } of workloads) {
    // Starts in a thread of its own, and is the step of another workload.
    if ((spec.kind === "gpt" && spec.compileOnly) || largeBytes > mostBytes) continue;
    const session = await runner.start(spec);
    if ("reason" in session) throw new BackendError("nvcc", `${name}: ${session.reason}`);
    await session.run();
  }
}
