/** Rules made of pieces. */
export { type CautiousMaskOptions, cautiousMask } from "./caution.ts";
export { type Chain, type ChainOptions, chain, type Link } from "./chain.ts";
export { type AddDecayedWeightsOptions, addDecayedWeights } from "./decay.ts";
export { type EmaOfGradientsOptions, emaOfGradients, type TraceOptions, trace } from "./momentum.ts";
export type { AnyPiece, Piece, PieceContext, PieceResult } from "./piece.ts";
export { scale, scaleByLearningRate, scaleBySchedule, scaleBySign } from "./scale.ts";
export { type ScaleByAdamOptions, scaleByAdam } from "./scaleByAdam.ts";
export { type ScaleByRmsOptions, scaleByRms } from "./scaleByRms.ts";
export { type ScaleByTrustRatioOptions, scaleByTrustRatio } from "./trustRatio.ts";
