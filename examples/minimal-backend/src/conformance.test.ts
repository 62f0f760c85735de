import { conformanceTests } from "@thalweg/conformance/node";
import { describe, it } from "vitest";
import { minimal } from "./backend.ts";

conformanceTests(minimal, { describe, it });
