/** The garbage collector, where JavaScript may call it: `--expose-gc` in Node. */
import type { Backend, MemoryUse } from "@thalweg/core/backend";
import { NotApplicable } from "../case.ts";

const collector = (): (() => void) | undefined => (globalThis as { readonly gc?: () => void }).gc;

/** Memory that is given back only when nobody refers to it any more can be waited for only with a collector to call. */
export function needCollector(): void {
  if (collector() === undefined) throw new NotApplicable("there is no garbage collector to call (node --expose-gc)");
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

/** Collects garbage and lets the event loop turn, so that what was found is given back. */
async function collect(): Promise<void> {
  const gc = collector();
  // The second waits until what the first found has been swept.
  gc?.();
  gc?.();
  await turn();
}

/** What is in use once all that earlier work has left behind is gone. */
export async function settled(backend: Backend): Promise<MemoryUse> {
  let last = backend.memory();
  for (let quiet = 0; quiet < 3; ) {
    await collect();
    const now = backend.memory();
    quiet = now.buffers === last.buffers ? quiet + 1 : 0;
    last = now;
  }
  return last;
}

/** Whether `holds` comes true, given time and collections. */
export async function eventually(holds: () => boolean): Promise<boolean> {
  for (let round = 0; round < 200 && !holds(); round++) await collect();
  return holds();
}
