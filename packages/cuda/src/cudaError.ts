/** Failed calls of the driver, NVRTC or cuBLASLt as the library's own typed error. */
import { BackendError } from "@thalweg/core/backend";
import type { CudaError } from "./native/addon.ts";

const isCudaError = (error: unknown): error is CudaError => error instanceof Error && error.name === "CudaError";

function translated(action: string, error: unknown): unknown {
  if (!isCudaError(error)) return error;
  const log = error.log ? `\n${error.log}` : "";
  return new BackendError("cuda", `${action}: ${error.call} failed: ${error.code} (${error.status})${log}`, {
    cause: error,
  });
}

/** What `run` gives or resolves to; a CudaError it throws or rejects with becomes a BackendError that names `action`. */
export function cudaErrorAsBackendError<T>(action: string, run: () => T): T {
  try {
    const result = run();
    if (result instanceof Promise) {
      return result.catch((error: unknown) => {
        throw translated(action, error);
      }) as T;
    }
    return result;
  } catch (error) {
    throw translated(action, error);
  }
}
