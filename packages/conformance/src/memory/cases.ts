/** The layer `memory`: no growth, and buffers that are returned. */
import type { Case } from "../case.ts";
import { bufferCases } from "./bufferCases.ts";
import { lifetimeCases } from "./lifetimeCases.ts";
import { stepCases } from "./stepCases.ts";

export const memoryCases: readonly Case[] = [...bufferCases, ...stepCases, ...lifetimeCases];
