/** Where a statement of a loop nest stands: addresses and conditions of an iteration, computed as far out as they can be. */
import type { Affine, Condition, Value } from "@thalweg/core/backend";
import type { PhasedLoop } from "./phases.ts";
import { literal, type Term } from "./scalarSource.ts";
import type { Names, Scope } from "./scope.ts";

/** A loop variable in this copy of the body: `text + add`. */
export interface Variable {
  /** Name of the JavaScript loop variable; undefined when the loop is unrolled away and `add` is the value. */
  readonly text: string | undefined;
  readonly add: number;
  /** Loops it stands in, itself included: the index in `scopes` of its body. */
  readonly depth: number;
  /** Values it takes: [0, size). Infinity when not known. */
  readonly size: number;
}

/** A value of the scalar language and the depth at which it is known. */
export interface Located extends Term {
  readonly depth: number;
  /** Computed, somewhere on the way, by an expensive operation. */
  readonly slow?: boolean;
}

export class Place {
  /** scopes[d]: the block inside the d outermost loops. */
  readonly scopes: readonly Scope[];
  readonly variables: readonly Variable[];
  /** Values in sight. */
  readonly values: Map<Value, Located>;
  readonly names: Names;
  readonly label: string;
  /** The innermost loop, when it can be cut where conditions change. */
  readonly phased: PhasedLoop | undefined;

  constructor(
    scopes: readonly Scope[],
    variables: readonly Variable[],
    values: Map<Value, Located>,
    names: Names,
    label: string,
    phased?: PhasedLoop,
  ) {
    this.scopes = scopes;
    this.variables = variables;
    this.values = values;
    this.names = names;
    this.label = label;
    this.phased = phased;
  }

  get depth(): number {
    return this.scopes.length - 1;
  }

  scope(depth: number): Scope {
    return this.scopes[depth] as Scope;
  }

  get innermost(): Scope {
    return this.scope(this.depth);
  }

  value(value: Value): Located {
    return this.values.get(value) as Located;
  }

  /** Σ stride · variable, without constants, as a name at the depth of its last variable. `upTo`: deeper variables left out. */
  #chain(strides: readonly number[], upTo = Number.POSITIVE_INFINITY): { text: string; depth: number } {
    let text = "";
    let depth = 0;
    for (const [index, stride] of strides.entries()) {
      const variable = this.variables[index] as Variable;
      if (stride === 0 || variable.text === undefined || variable.depth > upTo) continue;
      const size = Math.abs(stride);
      const term = size === 1 ? variable.text : `${variable.text} * ${size}`;
      depth = Math.max(depth, variable.depth);
      const sum = text === "" ? (stride < 0 ? `-${term}` : term) : `${text} ${stride < 0 ? "-" : "+"} ${term}`;
      text = this.scope(depth).define(sum, "p");
    }
    return { text, depth };
  }

  #constant({ offset, strides }: Affine): number {
    return strides.reduce((sum, stride, index) => sum + stride * (this.variables[index] as Variable).add, offset);
  }

  /**
   * Value of an affine function. Its dynamic values are checked at once, each time they are used (for accesses that may
   * not happen), or never.
   */
  affine(affine: Affine, checked: "atOnce" | "inUse" | "never"): { text: string; depth: number } {
    let { text, depth } = this.#chain(affine.strides);
    for (const { value, stride, size } of affine.dynamic ?? []) {
      const term = this.value(value);
      depth = Math.max(depth, term.depth);
      const label = JSON.stringify(this.label);
      let index = term.text;
      if (checked === "inUse") index = `$check(${label}, ${index}, ${size})`;
      else if (checked === "atOnce") {
        this.scope(term.depth).once(`if (${index} >>> 0 >= ${size}) $fail(${label}, ${index}, ${size});`);
      }
      const sum = `${text === "" ? "" : `${text} + `}${index} * ${literal(stride)}`;
      text = checked === "inUse" ? sum : this.scope(depth).define(sum, "p");
    }
    const constant = this.#constant(affine);
    if (text === "") return { text: `${constant}`, depth };
    if (constant === 0) return { text, depth };
    return { text: `${text} ${constant < 0 ? "-" : "+"} ${Math.abs(constant)}`, depth };
  }

  #interval(affine: Affine): { min: number; max: number } {
    let min = this.#constant(affine);
    let max = min;
    const widen = (stride: number, last: number) => {
      if (stride > 0) max += stride * last;
      else if (stride < 0) min += stride * last;
    };
    for (const [index, stride] of affine.strides.entries()) {
      const variable = this.variables[index] as Variable;
      if (variable.text !== undefined) widen(stride, variable.size - 1 - variable.add);
    }
    // A dynamic index in a condition may be any number: it decides, and is not checked.
    const unknown = affine.dynamic !== undefined && affine.dynamic.length > 0;
    return unknown ? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY } : { min, max };
  }

  /** All of `conditions` hold: a boolean expression of names, or a constant. */
  inside(conditions: readonly Condition[]): { text: string; depth: number; constant?: boolean } {
    const parts: string[] = [];
    let depth = 0;
    for (const { affine, lo, hi } of conditions) {
      const { min, max } = this.#interval(affine);
      if (min >= lo && max < hi) continue;
      if (max < lo || min >= hi || hi <= lo) return { text: "false", depth: 0, constant: false };
      const part = this.#condition(affine, lo, hi, min >= lo, max < hi);
      depth = Math.max(depth, part.depth);
      if (!parts.includes(part.text)) parts.push(part.text);
    }
    if (parts.length === 0) return { text: "true", depth: 0, constant: true };
    return { text: parts.join(" && "), depth };
  }

  #condition(
    affine: Affine,
    lo: number,
    hi: number,
    aboveLow: boolean,
    belowHigh: boolean,
  ): { text: string; depth: number } {
    const dynamic = affine.dynamic !== undefined && affine.dynamic.length > 0;
    const loop = this.phased;
    if (loop !== undefined && !dynamic) {
      const innermost = affine.strides.reduce(
        (sum, stride, index) => sum + ((this.variables[index] as Variable).text === loop.variable ? stride : 0),
        0,
      );
      if (innermost !== 0) {
        const rest = this.#chain(affine.strides, this.depth - 1);
        const name = loop.condition(this.scope(this.depth - 1), rest.text, this.#constant(affine), innermost, lo, hi);
        return { text: name, depth: this.depth };
      }
    }
    const at = this.affine(affine, "never");
    const scope = this.scope(at.depth);
    const position = scope.define(at.text, "p");
    const tests = [];
    if (!aboveLow) tests.push(`${position} >= ${lo}`);
    if (!belowHigh) tests.push(`${position} < ${hi}`);
    return { text: tests.length === 0 ? "true" : scope.define(tests.join(" && "), "c"), depth: at.depth };
  }
}
