/** What `write` of a backend may be given. */
import { type DType, dtypes, type HostArray } from "../graph/dtype.ts";
import { BackendError } from "../graph/errors.ts";

/** Throws BackendError in the name of `backend` unless `data` is the host array of a buffer of `size` elements. */
export function checkHostArray(backend: string, data: HostArray, dtype: DType, size: number): void {
  const { hostArray } = dtypes[dtype];
  if (data.constructor === hostArray && data.length === size) return;
  const got = `${data.constructor.name} of ${data.length}`;
  throw new BackendError(backend, `write: got ${got}, expected ${hostArray.name} of ${size}`);
}
