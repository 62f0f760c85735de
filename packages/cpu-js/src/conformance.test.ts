import { conformanceTests } from "@thalweg/conformance/node";
import { describe, it } from "vitest";
import { cpu } from "./index.ts";

conformanceTests(cpu, { describe, it });
