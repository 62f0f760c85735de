/** A backend that does what another does, but for what is given. */
import type { Backend } from "@thalweg/core/backend";

/** To core it is a backend of its own. Backends may be objects of classes, so their methods are called on them. */
export function delegate(inner: Backend, changes: Partial<Backend> = {}): Backend {
  const { readSync, expectedFailures } = inner;
  return {
    name: inner.name,
    description: inner.description,
    capabilities: inner.capabilities,
    ...(expectedFailures ? { expectedFailures } : {}),
    allocate: (dtype, size) => inner.allocate(dtype, size),
    write: (buffer, data) => inner.write(buffer, data),
    read: (buffer) => inner.read(buffer),
    ...(readSync ? { readSync: (buffer) => readSync.call(inner, buffer) } : {}),
    free: (buffer) => inner.free(buffer),
    compile: (program) => inner.compile(program),
    run: (executable, buffers, uniforms) => inner.run(executable, buffers, uniforms),
    memory: () => inner.memory(),
    dispose: () => inner.dispose(),
    ...changes,
  };
}
