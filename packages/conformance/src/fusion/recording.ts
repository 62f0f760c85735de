/** A backend that keeps the Programs that go through it. */
import type { Backend, Executable, Program } from "@thalweg/core/backend";
import { delegate } from "../delegate.ts";

export interface Recording {
  /** Does what the backend behind it does. */
  readonly backend: Backend;
  /** The Programs run since the last call, in order. */
  take(): Program[];
}

/**
 * Stands before `inner` and notes what runs. To core it is a backend of its own, so Programs that `inner` has compiled before
 * are compiled again.
 */
export function recording(inner: Backend): Recording {
  const compiled = new WeakMap<Executable, Program>();
  let ran: Program[] = [];
  const backend = delegate(inner, {
    compile(program) {
      const executable = inner.compile(program);
      compiled.set(executable, program);
      return executable;
    },
    run(executable, buffers, uniforms) {
      ran.push(compiled.get(executable) ?? executable.program);
      inner.run(executable, buffers, uniforms);
    },
  });
  const take = (): Program[] => {
    const programs = ran;
    ran = [];
    return programs;
  };
  return { backend, take };
}
