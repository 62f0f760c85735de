import { conformanceTests } from "@thalweg/conformance/node";
import { describe, it } from "vitest";
import { canEmulate, emulatedCuda } from "./testEmulation.ts";

conformanceTests(() => emulatedCuda(), { describe: canEmulate ? describe : describe.skip, it });
