import { conformanceTests } from "@thalweg/conformance/node";
import { describe, it } from "vitest";
import { wasm } from "./index.ts";

conformanceTests(wasm, { describe, it });
