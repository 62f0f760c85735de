/**
 * A Parameter: the one kind of tensor that can change. It owns memory: model weights, optimizer state, running
 * statistics.
 */
import { makeNode, type Node } from "../graph/node.ts";
import { currentTrace } from "../runtime/context.ts";
import { assignAll, realizeOwned } from "../runtime/evaluate.ts";
import type { Storage } from "../runtime/storage.ts";
import { Tensor } from "./tensor.ts";

export interface ParameterOptions {
  /** Shown in errors, `explain` and `summary`; nn sets nested names such as `layers.0.weight`. */
  name?: string;
  /** Whether optimizers update it. Default true; running statistics and optimizer state are not. */
  trainable?: boolean;
}

export class Parameter extends Tensor {
  name: string;
  readonly trainable: boolean;
  #initial: Node | undefined;
  #storage: Storage | undefined;
  #leaf: Node | undefined;

  /** Starts as the value of `initial`, computed at first use. */
  constructor(initial: Tensor, { name = "", trainable = true }: ParameterOptions = {}) {
    super(initial.node);
    this.#initial = initial.node;
    this.name = name;
    this.trainable = trainable;
  }

  /** The memory behind it; the initial value is computed now if it has not been. */
  get storage(): Storage {
    if (!this.#storage) {
      this.#storage = realizeOwned(this.#initial as Node);
      this.#storage.name = () => this.name;
      this.#initial = undefined;
    }
    return this.#storage;
  }

  /** The leaf that stands for the current value; inside a trace, the value assigned so far. */
  override get node(): Node {
    const storage = this.storage;
    const assigned = currentTrace()?.assigned.get(storage);
    if (assigned) return assigned;
    if (this.#leaf?.op !== "parameter" || this.#leaf.attributes.version !== storage.version) {
      const attributes = { source: storage, version: storage.version };
      this.#leaf = makeNode("parameter", [], attributes, storage.shape, storage.dtype);
    }
    return this.#leaf as Node;
  }
  override get shape() {
    return (this.#initial ?? (this.#storage as Storage)).shape;
  }
  override get dtype() {
    return (this.#initial ?? (this.#storage as Storage)).dtype;
  }

  /**
   * Replaces the value in place (same shape and dtype, else ShapeError or DTypeError). In a compiled function: at every
   * run. Unevaluated tensors built from the old value become invalid and say so when read.
   */
  assign(value: Tensor): void {
    assignAll([[this.storage, value.node]]);
  }

  /** Frees the memory now; otherwise it is freed when the parameter is collected. */
  override dispose(): void {
    this.#initial = undefined;
    this.#storage?.dispose();
  }
}
