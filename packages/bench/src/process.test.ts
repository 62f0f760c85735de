import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { RunnerError, RunnerProcess } from "./process.ts";
import type { WorkloadSpec } from "./spec.ts";

const script = fileURLToPath(new URL("../test/fakeRunner.mjs", import.meta.url));
const spec: WorkloadSpec = { kind: "matmul", size: 2 };

const processes: RunnerProcess[] = [];
function start(behaviour: object = {}, options: { patience?: number } = {}): RunnerProcess {
  const launch = { command: process.execPath, args: [script, JSON.stringify(behaviour)] };
  const runner = new RunnerProcess(launch, options);
  processes.push(runner);
  return runner;
}
afterEach(async () => {
  await Promise.all(processes.splice(0).map((runner) => runner.stop()));
});

describe("RunnerProcess", () => {
  it("asks and is answered", async () => {
    const runner = start({ values: [0.5, -1], milliseconds: 12.5 });
    expect(await runner.load({ name: "one" }, 3)).toMatchObject({ description: "fake one", threads: 3 });
    expect(await runner.start(spec)).toBeUndefined();
    await runner.run(5);
    expect(await runner.measure(1)).toBe(12.5);
    expect(await runner.check()).toEqual([0.5, -1]);
    expect(await runner.memory()).toEqual({ peakBytes: 1_000_000 });
  });

  it("gives the reason why a workload cannot be done", async () => {
    expect(await start({ reason: "no convolutions" }).start(spec)).toBe("no convolutions");
  });

  it("rejects a request that failed, and takes the next", async () => {
    const runner = start({ misbehave: { run: "fail" } });
    await expect(runner.run(1)).rejects.toEqual(new RunnerError("no such kernel"));
    expect(await runner.check()).toEqual([1, 2, 3]);
  });

  it("tells how a process ended, with the end of its standard error", async () => {
    const runner = start({ misbehave: { run: "crash" } });
    const error = await runner.run(1).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RunnerError);
    const { message } = error as RunnerError;
    expect(message).toMatch(/^its process ended with code 3\nx+\nSegmentation fault$/);
    expect(message.length).toBeLessThan(4200);
    await expect(runner.check()).rejects.toThrow("its process ended with code 3");
  });

  it.each([
    ["kill", "its process was ended by SIGKILL"],
    ["garbage", "wrote a line that is no answer: hello, world"],
    ["wrongAnswer", 'answered check with {"kind":"ran"}'],
  ])("rejects after %s", async (misbehaviour, message) => {
    const runner = start({ misbehave: { check: misbehaviour } });
    await expect(runner.check()).rejects.toThrow(message);
    await expect(runner.run(1)).rejects.toThrow(message);
  });

  it("does not wait forever", async () => {
    const runner = start({ misbehave: { run: "nothing" } }, { patience: 1000 });
    await expect(runner.run(1)).rejects.toThrow("gave no answer to run within 1 s");
  });

  it("says when the program is not there", async () => {
    const runner = new RunnerProcess({ command: "/nowhere/python", args: [] });
    await expect(runner.load({})).rejects.toThrow("cannot be started: spawn /nowhere/python ENOENT");
    await runner.stop();
  });

  it("rejects what is under way when stopped", async () => {
    const runner = start({ misbehave: { run: "nothing" } });
    const pending = expect(runner.run(1)).rejects.toThrow("its process was ended by SIGKILL");
    await runner.stop();
    await pending;
  });
});
