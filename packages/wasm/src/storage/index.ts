/** Memory to vectors and back, for every dtype a buffer can have. Offsets are in bytes. */
export { floatFromHalf, type HalfDType, halfFromFloat, roundToHalf } from "./half.ts";
export { gatherLanes, loadLane, loadSplat, loadVector } from "./load.ts";
export { scatterLanes, storeLane, storeVector } from "./store.ts";
