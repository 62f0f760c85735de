/** A small part of what `npm run test:browser` does. Left out where there is no Chromium. */
import { builtInCurves, builtInGolden } from "@thalweg/conformance/node";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findChromium, launchChromium, noChromium } from "./chromium.ts";
import { BrowserSession } from "./session.ts";

const executable = findChromium();

describe.skipIf(executable === undefined)(`in Chromium${executable ? "" : ` (${noChromium})`}`, () => {
  let browser: Browser;
  const sessions: BrowserSession[] = [];
  const open = async (isolated: boolean): Promise<BrowserSession> => {
    const session = await BrowserSession.open(browser, { isolated, sources: true });
    sessions.push(session);
    return session;
  };
  beforeAll(async () => {
    browser = await launchChromium(executable as string);
  }, 60_000);
  afterAll(async () => {
    for (const session of sessions) await session.close();
    await browser?.close();
  });

  it.each([
    { name: "an isolated page", isolated: true, expected: 2 },
    { name: "a page that is not isolated", isolated: false, expected: 1 },
  ])("passes cases and trains in $name, threads: $expected", { timeout: 120_000 }, async ({ isolated, expected }) => {
    const session = await open(isolated);
    const request = { backend: "wasm", threads: 2 } as const;
    const suite = { golden: builtInGolden(), curves: builtInCurves(), only: "random/*" };
    const { report } = await session.inPage("conformance", { ...request, ...suite });
    expect(report.failures).toEqual([]);
    expect(report.passed).toBeGreaterThan(50);
    const training = { ...request, images: 1000, epochs: 4 };
    const trained = await session.inPage("train", training);
    expect(trained).toMatchObject({ isolated, threads: expected });
    expect(trained.accuracy).toBeGreaterThan(0.6);
    expect(await session.inWorker("train", training)).toMatchObject({
      isolated,
      threads: expected,
      losses: trained.losses,
    });
  });
});
