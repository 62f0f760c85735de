/** `@thalweg/train`: data sets, loaders, the training loop and metrics. What reads files is in `@thalweg/train/node`. */
export {
  type CheckpointContents,
  type CheckpointModel,
  type CheckpointOptimizer,
  type CheckpointParts,
  decodeCheckpoint,
  encodeCheckpoint,
} from "./checkpoint/checkpoint.ts";
export { decodeSafetensors, encodeSafetensors, type Safetensors } from "./checkpoint/safetensors.ts";
export type { CheckpointGroup } from "./checkpoint/statefulSchedules.ts";
export { DataError } from "./dataError.ts";
export { datasetSize, type ImageDataset, type Split, sliceDataset, splitLastFifth, standardize } from "./dataset.ts";
export { type DigitOptions, digitSide, generateDigits } from "./digits/digits.ts";
export { accuracy, type Classifier, type EpochResult, type FitCallbacks, type FitOptions, fit } from "./fit.ts";
export { type Batch, Loader, type LoaderOptions } from "./loader.ts";
export { correctCount } from "./metrics.ts";
