/**
 * The public Tensor: an immutable value, a node of the lazy graph. Nothing is computed until its elements are asked for.
 * Fluent methods are attached in methods.ts; here is what every tensor has.
 */
import { type DType, decode, type HostArray } from "../graph/dtype.ts";
import { ShapeError } from "../graph/errors.ts";
import type { Node } from "../graph/node.ts";
import { formatShape, type Shape, sizeOf } from "../graph/shape.ts";
import { realize, releaseValue } from "../runtime/evaluate.ts";

export type NestedArray = number | boolean | NestedArray[];

export class Tensor {
  readonly #node: Node;

  /** For library code: user code makes tensors with `tensor`, `zeros`, `rand` … */
  constructor(node: Node) {
    this.#node = node;
  }

  /** The graph node this tensor is. A Parameter's changes as it is updated. */
  get node(): Node {
    return this.#node;
  }
  get shape(): Shape {
    return this.node.shape;
  }
  get dtype(): DType {
    return this.node.dtype;
  }
  get rank(): number {
    return this.node.shape.length;
  }
  /** Number of elements. */
  get size(): number {
    return sizeOf(this.node.shape);
  }

  /**
   * Elements in row-major order, as the dtype's typed array (bool as 0/1; 16-bit floats as float32). Computed once; the
   * tensor still knows what it was made from, so that derivatives can be taken. A loop that makes each tensor from the
   * one before lets go of that history with `detach()`.
   */
  async data(): Promise<HostArray> {
    return readable(this.dtype, await realize(this.node).read());
  }
  /** As `data`, for backends that can block; throws BackendError on others. */
  dataSync(): HostArray {
    return readable(this.dtype, realize(this.node).readSync());
  }
  /**
   * Frees the memory of the computed elements now. Never necessary: memory is freed when the tensor is collected. It helps a
   * loop that makes large results faster than the engine collects them to use the same memory, still in the caches, again.
   * Reading this tensor afterwards, or one that shares its memory (`detach`), throws LifetimeError. What has not been
   * computed yet has nothing to free.
   */
  dispose(): void {
    releaseValue(this.node);
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
  /** The single element of a tensor of size 1. */
  async item(): Promise<number> {
    this.#checkSingle();
    return (await this.data())[0] as number;
  }
  itemSync(): number {
    this.#checkSingle();
    return this.dataSync()[0] as number;
  }
  /** Nested lists of numbers (booleans for bool); a bare number for a scalar. */
  async array(): Promise<NestedArray> {
    return nest(this.dtype, this.shape, await this.data());
  }
  arraySync(): NestedArray {
    return nest(this.dtype, this.shape, this.dataSync());
  }

  #checkSingle(): void {
    if (this.size !== 1)
      throw new ShapeError("item", `expected a tensor of one element, got shape ${formatShape(this.shape)}`);
  }
}

function readable(dtype: DType, host: HostArray): HostArray {
  if (dtype !== "bfloat16" && dtype !== "float16") return host;
  return Float32Array.from(host, (_, i) => decode(dtype, host, i));
}

function nest(dtype: DType, shape: Shape, data: HostArray): NestedArray {
  let position = 0;
  const build = (axis: number): NestedArray => {
    if (axis === shape.length) {
      const value = data[position++] as number;
      return dtype === "bool" ? value !== 0 : value;
    }
    return Array.from({ length: shape[axis] as number }, () => build(axis + 1));
  };
  return build(0);
}
