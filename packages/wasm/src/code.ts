/** The module being written, as the writers of kernels see it. */
import { type DoubleFunction, doubleFunction, importMath, type MathReferences } from "./doubles.ts";
import {
  atomic,
  callEffect,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  type I32,
  i32,
  ModuleBuilder,
} from "./emit/index.ts";
import type { Features } from "./features.ts";
import { type Lanes, scalarLanes, simdLanes } from "./lanes/index.ts";
import { control } from "./threads/control.ts";

export class Code {
  readonly module = new ModuleBuilder();
  readonly features: Features;
  readonly #math: MathReferences;
  readonly #shared: boolean;

  /** `shared`: the memory is one that threads share. */
  constructor(features: Features, maximumPages: number, shared: boolean) {
    this.features = features;
    this.#shared = shared;
    this.module.importMemory({ module: "env", name: "memory", initial: 1, maximum: maximumPages, shared });
    this.#math = importMath(this.module);
  }

  /** How vectors are computed with in `f`. */
  lanes(f: FunctionBuilder): Lanes {
    return this.features.simd ? simdLanes(f, this.features.relaxed) : scalarLanes(f);
  }

  /** A function of f64 numbers that gives what core's scalar operation of this name gives. */
  imported(name: DoubleFunction): FunctionReference {
    return doubleFunction(this.module, this.#math, name);
  }

  /**
   * Reports that `index` does not lie in [0, size): the run throws IndexError, and no kernel after this one runs. The task
   * goes on unless the caller returns, and must not touch memory outside its buffers.
   */
  fail(f: FunctionBuilder, index: Expression<"i32">, size: I32, unsigned: boolean): void {
    const report = this.module.shared("fail", ["i32", "i32", "i32"], [], (body) => {
      const [at, limit, sign] = [0, 1, 2].map((position) => body.parameter(position, "i32"));
      // Of several failures the first counts.
      const first = this.#shared
        ? i32.eqz(atomic.i32CompareExchange(0, 0, 1, control.failed))
        : i32.eqz(i32.load(0, control.failed));
      body.if(i32.eqz(first), () => body.return());
      body.do(i32.store(0, at as Expression<"i32">, control.failedIndex));
      body.do(i32.store(0, limit as Expression<"i32">, control.failedSize));
      body.do(i32.store(0, sign as Expression<"i32">, control.failedUnsigned));
      body.do(i32.store(0, 1, control.failed));
    });
    const limit = typeof size === "number" ? i32.const(size) : size;
    f.do(callEffect(report, [index, limit, i32.const(unsigned ? 1 : 0)]));
  }
}
