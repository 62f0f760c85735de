export type { BitLanes, FloatLanes, IntLanes, Lanes, Mask, MaskLanes, Part } from "./lanes.ts";
export { scalarLanes } from "./scalarLanes.ts";
export { simdLanes } from "./simdLanes.ts";
export type { Vector } from "./vector.ts";
