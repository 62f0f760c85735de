/**
 * A loop whose conditions on its own variable are constant over stretches of it: the loop is cut where one changes, so
 * that inside a stretch every such condition is one invariant boolean instead of a test per element.
 */
import type { Names, Scope } from "./scope.ts";

interface Range {
  readonly name: string;
  readonly lo: string;
  readonly hi: string;
}

export class PhasedLoop {
  readonly variable: string;
  readonly #size: string;
  readonly #names: Names;
  readonly #ranges = new Map<string, Range>();

  constructor(variable: string, size: string, names: Names) {
    this.variable = variable;
    this.#size = size;
    this.#names = names;
  }

  /** Name of the boolean that says lo ≤ base + constant + stride · variable < hi; bounds are computed in `outside`. */
  condition(outside: Scope, base: string, constant: number, stride: number, lo: number, hi: number): string {
    const key = `${base}|${constant}|${stride}|${lo}|${hi}`;
    const known = this.#ranges.get(key);
    if (known !== undefined) return known.name;
    const minusBase = base === "" ? "" : ` - ${base}`;
    const clamp = (text: string) => outside.define(`Math.min(Math.max(${text}, 0), ${this.#size}) | 0`, "l");
    const steps = Math.abs(stride);
    const by = (text: string, round: "ceil" | "floor") =>
      steps === 1 ? `${text}` : `Math.${round}((${text}) / ${steps})`;
    // First position at or past each end; a negative stride meets the upper end first.
    const range: Range =
      stride > 0
        ? {
            name: this.#names.fresh("c"),
            lo: clamp(by(`${lo - constant}${minusBase}`, "ceil")),
            hi: clamp(by(`${hi - constant}${minusBase}`, "ceil")),
          }
        : {
            name: this.#names.fresh("c"),
            lo: clamp(`${by(`${constant - hi}${base === "" ? "" : ` + ${base}`}`, "floor")} + 1`),
            hi: clamp(`${by(`${constant - lo}${base === "" ? "" : ` + ${base}`}`, "floor")} + 1`),
          };
    this.#ranges.set(key, range);
    return range.name;
  }

  /** The whole loop around `body`. */
  text(body: string): string {
    const j = this.variable;
    const n = this.#size;
    if (this.#ranges.size === 0) return `for (let ${j} = 0; ${j} < ${n}; ${j}++) {\n${body}\n}`;
    const end = this.#names.fresh("e");
    const cuts = [...this.#ranges.values()].map(
      ({ name, lo, hi }) =>
        `const ${name} = ${j} >= ${lo} && ${j} < ${hi};\n` +
        `if (${j} < ${lo}) { if (${lo} < ${end}) ${end} = ${lo}; } else if (${j} < ${hi} && ${hi} < ${end}) ${end} = ${hi};`,
    );
    return `for (let ${j} = 0; ${j} < ${n};) {\nlet ${end} = ${n};\n${cuts.join("\n")}\nfor (; ${j} < ${end}; ${j}++) {\n${body}\n}\n}`;
  }
}
