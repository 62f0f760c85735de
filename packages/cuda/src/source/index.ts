/** The scalar language as CUDA C. */
export { bodyNeeds, writeBody } from "./body.ts";
export { type IndexType, indexLiteral, linear, plusConstant, sumOf } from "./linear.ts";
export { binarySource, castSource, roundToSource, unarySource } from "./operation.ts";
export { bodyParameters } from "./parameters.ts";
export type { BodyPlace, SlotSource } from "./place.ts";
export { cType, literal, storageTag, storageType } from "./types.ts";
export { vectorWidth } from "./vectorWidth.ts";
