/** For tests: whole Programs run on one thread, with the engine's features or fewer. */
import type { BufferHandle, HostArray, Program } from "@thalweg/core/backend";
import { WasmBackend } from "./backend.ts";
import { detectFeatures, type Features } from "./features.ts";

/**
 * What every buffer that is no temporary holds after one run, in order. `inputs`: what the inputs and parameters hold
 * before, in order; outputs begin with zeros.
 */
export function runProgram(
  program: Program,
  inputs: readonly HostArray[],
  uniforms: readonly number[] = [],
  features: Partial<Features> = {},
): HostArray[] {
  const backend = new WasmBackend({ features: { ...detectFeatures(), ...features }, threads: 1 });
  const handles: BufferHandle[] = [];
  let given = 0;
  for (const { kind, dtype, size } of program.buffers) {
    if (kind === "temporary") continue;
    const handle = backend.allocate(dtype, size);
    if (kind !== "output") backend.write(handle, inputs[given++] as HostArray);
    handles.push(handle);
  }
  backend.run(backend.compile(program), handles, uniforms);
  const results = handles.map((handle) => backend.readSync(handle));
  backend.dispose();
  return results;
}
