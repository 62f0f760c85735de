/** The layer of kernels: Programs written by hand or drawn at random, run directly, without tensors. */
import type { Case } from "../case.ts";
import { bufferCases } from "./bufferCases.ts";
import { contractionCases } from "./contractionCases.ts";
import { conversionCases } from "./conversionCases.ts";
import { convolutionCases } from "./convolutionCases.ts";
import { indexErrorCases } from "./indexErrorCases.ts";
import { indexedCases } from "./indexedCases.ts";
import { loopCases } from "./loopCases.ts";
import { programCases } from "./programCases.ts";
import { randomCases } from "./randomCases.ts";
import { reductionCases } from "./reductionCases.ts";
import { rowProgramCases } from "./rowProgramCases.ts";
import { scalarCases } from "./scalarCases.ts";
import { segmentCases } from "./segmentCases.ts";

export const kernelCases: readonly Case[] = [
  ...bufferCases,
  ...scalarCases,
  ...conversionCases,
  ...loopCases,
  ...reductionCases,
  ...rowProgramCases,
  ...segmentCases,
  ...contractionCases,
  ...convolutionCases,
  ...indexedCases,
  ...programCases,
  ...indexErrorCases,
  ...randomCases,
];
