import { describe, expect, it } from "vitest";
import {
  buildSanitized,
  findSanitizers,
  runSanitized,
  sanitizedAddon,
  sanitizedRuns,
  slice,
} from "../../sanitize/sanitizer.ts";

const found = findSanitizers();
const missing = "missing" in found ? found.missing : undefined;
const libraries = "missing" in found ? [] : found;

// Some twenty seconds of one core to build, where it has not been built yet, and as much to run.
describe.skipIf(missing)(missing ? `under the sanitizers (without ${missing})` : "under the sanitizers", () => {
  it("addon and emulated driver are built", { timeout: 400_000 }, async () => {
    await buildSanitized();
    // Instrumented code refuses to be loaded where what watches it is not there first.
    const { status, output } = await runSanitized([], ["-e", `require(${JSON.stringify(sanitizedAddon)})`]);
    expect(status).not.toBe(0);
    expect(output).toContain("ASan runtime does not come first");
  });

  it.for([
    ["index", "an access that is not aligned, or an instruction that must not be reached"],
    ["pointer", "AddressSanitizer: global-buffer-overflow"],
  ] as const)("a kernel that writes beyond its shared memory is found: by an %s", async ([by, message]) => {
    const { status, output } = await runSanitized(libraries, sanitizedRuns.fault(by));
    expect(output).toContain("wrote element 63");
    expect(output).not.toContain("wrote element 64");
    expect(output).toContain(message);
    expect(status).toBe(1);
  });

  it("the addon passes its tests", { timeout: 400_000 }, async () => {
    const { status, output } = await runSanitized(libraries, sanitizedRuns.addonTests);
    expect(output).toMatch(/Tests .* passed/);
    expect(status, output).toBe(0);
  });

  it("a slice of the conformance suite passes", { timeout: 400_000 }, async () => {
    const { status, output } = await runSanitized(libraries, sanitizedRuns.conformance(slice));
    expect(output).toMatch(/^\d+ passed, 0 failed/m);
    expect(status, output).toBe(0);
  });
});
