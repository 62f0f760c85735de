/** `thalweg build-cuda`: the addon of @thalweg/cuda from its sources, where no binary was built beforehand. */

import { importKnown } from "./backends.ts";
import type { Io } from "./io.ts";

/** Resolves when it is built. Throws UnavailableError without @thalweg/cuda, BackendError when a tool fails. */
export async function buildCuda({ stdout, stderr }: Io): Promise<void> {
  const { buildAddon } = await importKnown("cuda");
  if (typeof buildAddon !== "function") throw new Error("@thalweg/cuda exports no buildAddon");
  const path = (await buildAddon((text: string) => stderr.write(text))) as string;
  stdout.write(`built ${path}\n`);
}
