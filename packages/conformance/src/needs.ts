/** What a case needs of a backend. Without it the case is not applicable. */
import type { Backend, DType, KernelKind } from "@thalweg/core/backend";
import { NotApplicable } from "./case.ts";

export function needDTypes(backend: Backend, ...dtypes: readonly DType[]): void {
  const missing = dtypes.filter((dtype) => !backend.capabilities.dtypes.has(dtype));
  if (missing.length > 0) throw new NotApplicable(`${backend.name} has no ${missing.join(", ")}`);
}

export function needKernels(backend: Backend, ...kinds: readonly KernelKind[]): void {
  const missing = kinds.filter((kind) => !backend.capabilities.kernels.has(kind));
  if (missing.length > 0) throw new NotApplicable(`${backend.name} does not compile ${missing.join(", ")} kernels`);
}

/** Reading without waiting. */
export function needBlocking(backend: Backend): void {
  if (!backend.capabilities.blocking) throw new NotApplicable(`${backend.name} cannot block`);
}

/** Whether what goes wrong in a run is thrown by the run, not by the next read. */
export function failsAtRun({ capabilities: { asynchronous, blocking } }: Backend): boolean {
  return !(asynchronous ?? !blocking);
}
