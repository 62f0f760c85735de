/**
 * Where the threads of a team must wait for one another. An outer stage is computed by all of them and stored by one; an
 * inner stage's points are each loaded and stored by one thread, the same in all stages. So threads meet before memory is
 * touched by outer stages and others, when one of the two writes it.
 */
import type { Instruction, Stage } from "@thalweg/core/backend";

interface Touch {
  readonly over: Stage["over"];
  readonly op: "load" | "store";
  readonly slot: number;
}

export class Hazards {
  readonly #mayAlias: (a: number, b: number) => boolean;
  readonly #barrier: string;
  /** Since the threads last met. */
  #touched: Touch[] = [];

  constructor(mayAlias: (a: number, b: number) => boolean, barrier: string) {
    this.#mayAlias = mayAlias;
    this.#barrier = barrier;
  }

  /** The barrier that has to stand before `body`; empty when none has to. */
  enter(body: readonly Instruction[], over: Stage["over"]): string {
    const touches = body.flatMap((instruction): Touch[] =>
      instruction.op === "load" || instruction.op === "store"
        ? [{ over, op: instruction.op, slot: instruction.slot }]
        : [],
    );
    const conflicts = touches.some((later) =>
      this.#touched.some(
        (earlier) =>
          (earlier.op === "store" || later.op === "store") &&
          !(earlier.over === "inner" && later.over === "inner") &&
          !(earlier.op === "store" && later.op === "store" && earlier.over === later.over) &&
          this.#mayAlias(earlier.slot, later.slot),
      ),
    );
    if (conflicts) this.met();
    this.#touched.push(...touches);
    return conflicts ? this.#barrier : "";
  }

  met(): void {
    this.#touched = [];
  }
}
