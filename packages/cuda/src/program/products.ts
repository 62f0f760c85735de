/** Plans of cuBLASLt: its heuristic is asked once for each kind of product. */
import type { NativeContext, NativeProduct, ProductDescription } from "../native/addon.ts";

export class Products {
  readonly #context: NativeContext;
  readonly #plans = new Map<string, NativeProduct | undefined>();

  constructor(context: NativeContext) {
    this.#context = context;
  }

  /** Undefined where cuBLASLt has no algorithm for it. */
  of(description: ProductDescription): NativeProduct | undefined {
    const key = JSON.stringify(description);
    if (!this.#plans.has(key)) this.#plans.set(key, this.#context.createProduct(description));
    return this.#plans.get(key);
  }

  dispose(): void {
    for (const plan of this.#plans.values()) plan?.dispose();
    this.#plans.clear();
  }
}
