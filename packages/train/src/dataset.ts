/** Labelled images on the host, and ways to part them. */
import { ArgumentError } from "@thalweg/core";

export interface ImageDataset {
  /** Pixels from 0 (background) to 1, row-major: `size` images of `height` × `width`. */
  readonly images: Float32Array;
  /** The class of each image. */
  readonly labels: Int32Array;
  readonly height: number;
  readonly width: number;
  readonly classes: number;
}

export interface Split {
  readonly train: ImageDataset;
  readonly validation: ImageDataset;
}

/** Number of images. */
export const datasetSize = (data: ImageDataset): number => data.labels.length;

/** Images `start` to `end` (excluded), sharing memory with `data`. */
export function sliceDataset(data: ImageDataset, start: number, end: number): ImageDataset {
  const pixels = data.height * data.width;
  return {
    ...data,
    images: data.images.subarray(start * pixels, end * pixels),
    labels: data.labels.subarray(start, end),
  };
}

/** The last fifth in order (at least one image) as validation set, the rest to train on. Throws on fewer than two images. */
export function splitLastFifth(data: ImageDataset): Split {
  const size = datasetSize(data);
  if (size < 2) throw new ArgumentError("splitLastFifth", `expected at least 2 images, got ${size}`);
  const end = size - Math.max(1, Math.floor(size / 5));
  return { train: sliceDataset(data, 0, end), validation: sliceDataset(data, end, size) };
}

/**
 * Both sets with the mean pixel of the training set taken off and divided by its standard deviation, which lets a network
 * learn from the first step on. Images of one single colour are only centred.
 */
export function standardize({ train, validation }: Split): Split {
  let sum = 0;
  for (const pixel of train.images) sum += pixel;
  const mean = sum / train.images.length;
  let squares = 0;
  for (const pixel of train.images) squares += (pixel - mean) ** 2;
  const scale = 1 / (Math.sqrt(squares / train.images.length) || 1);
  const apply = (data: ImageDataset) => ({ ...data, images: data.images.map((pixel) => (pixel - mean) * scale) });
  return { train: apply(train), validation: apply(validation) };
}
