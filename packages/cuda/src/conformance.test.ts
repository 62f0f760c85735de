import { builtInCases, conformanceTests } from "@thalweg/conformance/node";
import { describe, it } from "vitest";
import { canEmulate, emulatedCuda } from "./testEmulation.ts";

/**
 * One case in so many, spread over every layer: each is a few calls of a C++ compiler. The whole suite, which takes some
 * minutes: `THALWEG_CUDA_DRIVER=emulated npx thalweg conformance --backend cuda`.
 */
const oneIn = 8;
const sample = builtInCases().filter((_, i) => i % oneIn === 0);

conformanceTests(() => emulatedCuda(), { describe: canEmulate ? describe : describe.skip, it }, sample);
