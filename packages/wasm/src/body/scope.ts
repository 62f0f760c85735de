/**
 * Blocks of code that still grow: whatever does not depend on an inner loop is computed in the outermost block that knows
 * its operands, and only once there.
 */
import { Constant, type Expression, type FunctionBuilder, Local, type Section } from "../emit/index.ts";
import type { Part } from "../lanes/index.ts";

export class Scope {
  readonly f: FunctionBuilder;
  /** Blocks around it: the index of this one among the scopes of a point. */
  readonly depth: number;
  readonly #parent: Scope | undefined;
  readonly #known = new Map<string, unknown>();
  /** Where this block goes on while a block inside it is being written. */
  #open: Section | undefined;

  constructor(f: FunctionBuilder, parent?: Scope) {
    this.f = f;
    this.#parent = parent;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
  }

  /** What this block or one around it knows under `key`. */
  #find(key: string): unknown {
    const known = this.#known.get(key);
    if (known !== undefined || !this.#parent) return known;
    return this.#parent.#find(key);
  }

  /** Writes at the end of this block's own code. */
  emit(build: () => void): void {
    if (this.#open) this.f.within(this.#open, build);
    else build();
  }

  /** What `compute` gives, which is written into this block unless it or one around it has done the same (known by `key`). */
  define<T>(key: string, compute: () => T): T {
    const known = this.#find(key);
    if (known !== undefined) return known as T;
    let result: T | undefined;
    this.emit(() => {
      result = compute();
    });
    this.#known.set(key, result);
    return result as T;
  }

  /** Keeps a value that depends on nothing but what this block knows. */
  let<T extends "i32" | "f64">(key: string, value: () => Expression<T>): Local<T> {
    return this.define(key, () => this.f.let(value()));
  }

  /** A block inside this one, which can still take code while that is written. */
  nested(build: (inside: Scope) => void): void {
    const before = this.#open;
    this.#open = this.f.section();
    build(new Scope(this.f, this));
    this.#open = before;
  }

  /** From now on all that comes into this block stands here, whatever is written after it. */
  hold(): void {
    this.#open = this.f.section();
  }
}

/** Names the value of a part: equal names, equal values. */
export function nameOf(part: Part): string {
  if (part instanceof Local) return `${part.index}`;
  if (part instanceof Constant) return `${part.type}=${Object.is(part.value, -0) ? "-0" : part.value}`;
  throw new TypeError("a part of a vector is neither a local nor a constant");
}
