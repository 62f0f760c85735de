import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runThrough, trials } from "../../test/trials.ts";

const child = fileURLToPath(new URL("../../test/continueTrials.ts", import.meta.url));

describe("training from a checkpoint in a fresh process gives the same bits as without the break", () => {
  let folder: string;
  let straight: string[];
  let resumed: Record<string, string>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "thalweg-resume-"));
    straight = [];
    for (const [i, trial] of trials.entries()) straight.push(await runThrough(trial, join(folder, `${i}.safetensors`)));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--conditions=@thalweg/source", "--no-warnings", child, folder],
      { maxBuffer: 2 ** 28 },
    );
    resumed = JSON.parse(stdout) as Record<string, string>;
  }, 300_000);
  afterAll(() => rm(folder, { recursive: true }));

  it.each(trials.map(({ name }, i) => [name, i] as const))("%s", (name, i) => {
    expect(straight[i]).not.toMatch(/^(0000c07f)+/);
    expect(resumed[name]).toBe(straight[i]);
  });
});
