/** Mini-batches of a data set as tensors. */
import { ArgumentError, fromHost, permutation, type Tensor } from "@thalweg/core";
import { datasetSize, type ImageDataset } from "./dataset.ts";

export interface Batch {
  /** float32 [n, 1, height, width]. */
  readonly images: Tensor;
  /** int32 [n]. */
  readonly labels: Tensor;
  readonly size: number;
}

export interface LoaderOptions {
  /** Images per batch; a whole positive number. */
  batchSize: number;
  /** A new random order at each pass, from core's generator (so `manualSeed` decides it). Default false. */
  shuffle?: boolean;
  /** Leave out a last batch that is not full, unless it is the only one. Default false. */
  dropLast?: boolean;
}

export class Loader {
  readonly data: ImageDataset;
  readonly batchSize: number;
  readonly #shuffle: boolean;
  readonly #dropLast: boolean;

  /** Throws ArgumentError on a batch size that is not a whole positive number. */
  constructor(data: ImageDataset, { batchSize, shuffle = false, dropLast = false }: LoaderOptions) {
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new ArgumentError("Loader", `expected batchSize as a whole positive number, got ${batchSize}`);
    }
    this.data = data;
    this.batchSize = batchSize;
    this.#shuffle = shuffle;
    this.#dropLast = dropLast && datasetSize(data) > batchSize;
  }

  /** Batches in one pass. */
  get batches(): number {
    const batches = datasetSize(this.data) / this.batchSize;
    return this.#dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** One pass over the data. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    const size = datasetSize(this.data);
    const order = this.#shuffle ? await permutation(size).data() : undefined;
    for (let batch = 0; batch < this.batches; batch++) {
      const start = batch * this.batchSize;
      yield this.#gather(start, Math.min(start + this.batchSize, size), order);
    }
  }

  #gather(start: number, end: number, order: ArrayLike<number> | undefined): Batch {
    const { images, labels, height, width } = this.data;
    const pixels = height * width;
    const size = end - start;
    const batchImages = new Float32Array(size * pixels);
    const batchLabels = new Int32Array(size);
    for (let i = 0; i < size; i++) {
      const from = order ? (order[start + i] as number) : start + i;
      batchImages.set(images.subarray(from * pixels, (from + 1) * pixels), i * pixels);
      batchLabels[i] = labels[from] as number;
    }
    return {
      images: fromHost(batchImages, [size, 1, height, width], "float32"),
      labels: fromHost(batchLabels, [size], "int32"),
      size,
    };
  }
}
