/**
 * `@thalweg/cpu-js`: a backend that compiles Programs to JavaScript. No dependencies; runs wherever JavaScript does.
 */
import { type Backend, engineName, referenceBackend } from "@thalweg/core/backend";
import { CpuBackend, capabilities } from "./backend.ts";
import { canGenerateCode } from "./codeCache.ts";

let warned = false;

/** Tells once, wherever there is a console, that code cannot be generated here. */
function warnOnce(): void {
  if (warned) return;
  warned = true;
  const { console } = globalThis as { readonly console?: { warn(message: string): void } };
  console?.warn(
    "cpu-js: a content-security policy forbids generated code (unsafe-eval); programs are interpreted, slowly",
  );
}

/**
 * A cpu-js backend, at once. Takes every dtype and kernel, blocks for results, computes on the calling thread.
 * Where a content-security policy forbids `new Function`, Programs are interpreted instead, with one warning.
 */
export function cpuSync(): Backend {
  if (canGenerateCode()) return new CpuBackend();
  warnOnce();
  const interpreter = referenceBackend({ rounding: true });
  return Object.assign(interpreter, {
    name: "cpu-js",
    description: `interpreted: generated code is forbidden here; ${engineName()}`,
    // The interpreter holds its buffers until they are freed.
    capabilities: { ...capabilities, collected: false },
  });
}

/** A cpu-js backend; see `cpuSync`. Asynchronous as every backend's constructor is, so that one line changes backends. */
export async function cpu(): Promise<Backend> {
  return cpuSync();
}
