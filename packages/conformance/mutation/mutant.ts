/** Ways to break a backend. The suite must notice every one of them. */
import type { Backend, Program } from "@thalweg/core/backend";
import { delegate } from "../src/delegate.ts";

export interface Mutant {
  readonly name: string;
  /** Breaks `inner`; calls `applied` whenever that changes something. */
  readonly mutate: (inner: Backend, applied: () => void) => Backend;
}

/** Changes a Program; the same object where there is nothing to change in it. */
export type Rewrite = (program: Program) => Program;

/** A backend that compiles other Programs than it is given. */
export const programMutant = (name: string, rewrite: Rewrite): Mutant => ({
  name,
  mutate: (inner, applied) =>
    delegate(inner, {
      compile(program) {
        const changed = rewrite(program);
        if (changed !== program) applied();
        return inner.compile(changed);
      },
    }),
});
