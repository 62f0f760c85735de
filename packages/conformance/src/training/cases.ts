/** The layer `training`: compiled training steps. */
import type { Case } from "../case.ts";
import { curveCases } from "./curveCases.ts";
import type { TrainingCurves } from "./curves.ts";
import { replayCases } from "./replayCases.ts";

/** `curves`: those of golden/training/curves.json, by `parseTrainingCurves`. */
export const trainingCases = (curves: TrainingCurves): Case[] => [...replayCases, ...curveCases(curves)];
