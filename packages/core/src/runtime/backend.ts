/** The backend tensors are computed on. */
import type { Backend } from "../backend/backend.ts";
import { BackendError } from "../graph/errors.ts";

let current: Backend | undefined;

/** Makes `backend` compute everything from now on. Tensors and parameters held elsewhere move when they are next used. */
export function useBackend(backend: Backend): void {
  current = backend;
}

/** Throws BackendError when none has been chosen. */
export function currentBackend(): Backend {
  if (!current) throw new BackendError("backend", "none chosen; call useBackend(await cpu()) first");
  return current;
}
