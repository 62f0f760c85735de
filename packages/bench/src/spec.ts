/** A workload as data: all that a runner in any language needs to set it up. Starting values: see `values.ts`. */

export type WorkloadSpec =
  /**
   * c = a · b, both [size, size], float32 unless `dtype` says otherwise: then the operands are rounded to it, and so is the
   * product, which is read back unless it stays `onDevice`, finished.
   */
  | { readonly kind: "matmul"; readonly size: number; readonly dtype?: "bfloat16"; readonly onDevice?: boolean }
  /** y = tanh(1.5·x + b) · sigmoid(x) + x², x and b of `size` elements; y stays on the device, finished. */
  | { readonly kind: "elementwise"; readonly size: number }
  /** softmax over the last axis of [rows, columns]. */
  | { readonly kind: "softmax"; readonly rows: number; readonly columns: number }
  /** layerNorm over the last axis of [rows, columns], with weight and bias, eps 1e-5. */
  | { readonly kind: "layerNorm"; readonly rows: number; readonly columns: number }
  /** Dense layers with relu between, cross entropy; one training step. */
  | {
      readonly kind: "mlp";
      readonly widths: readonly number[];
      readonly batch: number;
      readonly optimizer: "sgd" | "adam";
      /** Whether every step waits for its loss. */
      readonly readLoss: boolean;
    }
  /** Conv 5×5 1→32, relu, pool 2, conv 5×5 32→64, relu, pool 2, 3136→256, relu, →10, cross entropy; one plain SGD step, loss read. */
  | { readonly kind: "cnn"; readonly batch: number }
  /**
   * A GPT: token and position embeddings, per layer (layerNorm, causal attention with `heads` heads, residual, layerNorm,
   * width → 4·width, gelu (tanh), → width, residual), a last layerNorm and a linear head without bias, cross entropy over
   * all positions; one AdamW step (PyTorch's defaults), loss read. `compileOnly`: a run traces and compiles the step
   * afresh (new closures, empty caches) and runs it once, always from the starting values. `tied`: the head's weight is
   * that of the token embeddings. `compute`: products take operands rounded to it (mixed precision, by each library's
   * rules); weights and the optimizer's state stay float32.
   */
  | {
      readonly kind: "gpt";
      readonly vocabulary: number;
      readonly width: number;
      readonly heads: number;
      readonly layers: number;
      readonly context: number;
      readonly batch: number;
      readonly compileOnly?: boolean;
      readonly tied?: boolean;
      readonly compute?: "bfloat16";
    }
  /** One update by the named rule at its defaults (lr `updateLearningRate`), of `tensors` equal tensors that hold `size` elements together; gradients given. */
  | { readonly kind: "optimizer"; readonly optimizer: string; readonly size: number; readonly tensors: number };

export type WorkloadKind = WorkloadSpec["kind"];

/** The workloads of one kind. */
export type SpecOf<Kind extends WorkloadKind> = Extract<WorkloadSpec, { readonly kind: Kind }>;

/** How a device multiplies matrices: each way has a peak of its own. */
export type Arithmetic = "float32" | "tf32" | "bfloat16";

/** A workload by name, and how it is measured. */
export interface Workload {
  readonly name: string;
  /** One line for a reader. */
  readonly about: string;
  readonly spec: WorkloadSpec;
  /** Runs before the results are compared and measured. */
  readonly warmUp: number;
  /** Measurements that count. */
  readonly repeats: number;
  /** Floating-point operations of a run, a multiply-add as two, where that is what it costs. */
  readonly flops?: number;
  /** Least bytes to move to and from memory in a run, where that is what it costs. */
  readonly bytes?: number;
  /** What its operations are done in. Default float32. */
  readonly arithmetic?: Arithmetic;
  /** That a run trains on. */
  readonly tokens?: number;
  /** Whether the host's share of a run is measured as well: the time of the calls alone, without waiting for a device. */
  readonly hostTime?: boolean;
  /** Large: left out on a processor unless it is asked for. About so many bytes are held at once. */
  readonly largeBytes?: number;
}
