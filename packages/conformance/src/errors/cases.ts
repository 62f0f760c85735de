/** The layer `errors`: what is wrong is said, by a typed error with a telling message, and changes nothing. */
import type { Case } from "../case.ts";
import { bufferErrors } from "./buffers.ts";
import { compiledErrors } from "./compiled.ts";
import { indexErrors } from "./indices.ts";
import { layerOperationErrors } from "./layerOperations.ts";
import { operationErrors } from "./operations.ts";
import { optimizerErrors } from "./optimizers.ts";
import { programErrors } from "./programs.ts";

export const errorCases: readonly Case[] = [
  ...operationErrors,
  ...layerOperationErrors,
  ...indexErrors,
  ...bufferErrors,
  ...optimizerErrors,
  ...compiledErrors,
  ...programErrors,
];
