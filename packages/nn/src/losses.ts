/** Losses: functions of core, here because models are built with nn. */
export {
  bceWithLogits,
  cosineSimilarity,
  crossEntropy,
  huberLoss,
  klDiv,
  l1Loss,
  mseLoss,
  nllLoss,
  smoothL1Loss,
} from "@thalweg/core";
