/** Answers the harness's requests with one runner and one workload at a time. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Answer, Request } from "../protocol.ts";
import { median } from "../statistics.ts";
import { firstRunSession } from "./firstRun.ts";
import { loadRunner } from "./loadRunner.ts";
import type { LoadOptions, Runner, Session } from "./session.ts";

/** The engine's collector, whether or not the process was started with --expose-gc. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

export class RunnerServer {
  readonly #collectGarbage = collector();
  #load: LoadOptions | undefined;
  #runner: Runner | undefined;
  #session: Session | undefined;

  /** Never rejects: an error is an answer, too. */
  async answer(request: Request): Promise<Answer> {
    try {
      return await this.#answer(request);
    } catch (error) {
      return { kind: "failed", message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
    }
  }

  async #answer(request: Request): Promise<Answer> {
    switch (request.kind) {
      case "load": {
        const { threads, options } = request;
        this.#load = threads === undefined ? { options } : { threads, options };
        this.#runner = await loadRunner(this.#load);
        const { description, threads: taken, device } = this.#runner;
        return { kind: "loaded", description, threads: taken, ...(device === undefined ? {} : { device }) };
      }
      case "start": {
        if (!this.#runner || !this.#load) throw new Error("start: nothing is loaded");
        // What the workload before held must be gone before the next one is measured.
        this.#session = undefined;
        this.#collectGarbage();
        const { workload } = request;
        const started =
          workload.kind === "gpt" && workload.compileOnly
            ? await firstRunSession(this.#load, workload)
            : await this.#runner.start(workload);
        if ("reason" in started) return { kind: "started", reason: started.reason };
        this.#session = started;
        return { kind: "started" };
      }
      case "run": {
        const session = this.#started("run");
        if (request.times < 1) return { kind: "ran" };
        let runs = 0;
        await repeat(session, () => ++runs < request.times);
        return { kind: "ran" };
      }
      case "measure":
        return measure(this.#started("measure"), request.milliseconds);
      case "check":
        return { kind: "checked", values: await this.#started("check").check() };
      case "memory":
        return {
          kind: "memory",
          peakBytes: process.resourceUsage().maxRSS * 1024,
          ...(this.#runner?.deviceBytes ? { deviceBytes: this.#runner.deviceBytes() } : {}),
        };
      case "dispatch":
        return { kind: "dispatched", microseconds: await dispatch(this.#started("dispatch"), request.times) };
      case "limits":
        if (!this.#runner?.limits) throw new Error("limits: the runner has no device of its own");
        return { kind: "limits", limits: await this.#runner.limits() };
      default:
        throw new Error(`unknown request ${JSON.stringify(request satisfies never)}`);
    }
  }

  #started(action: string): Session {
    if (!this.#session) throw new Error(`${action}: no workload is started`);
    return this.#session;
  }
}

/** Milliseconds of runs after which the event loop turns: libraries free memory there that nothing refers to. */
const turnAfter = 50;

/** Runs, and again as long as `again` says so; then waits for what is under way. */
async function repeat(session: Session, again: () => boolean): Promise<void> {
  let turned = performance.now();
  do {
    // Awaiting what has finished would cost a turn of the queue, which is much beside the smallest step.
    const pending = session.run();
    if (pending) await pending;
    if (performance.now() - turned > turnAfter) {
      await new Promise((resolve) => setImmediate(resolve));
      turned = performance.now();
    }
  } while (again());
  await session.finish?.();
}

/** What its calls alone take the host in a run, in microseconds: the median over bursts of `times`, each after a wait. */
export async function dispatch(session: Session, times: number): Promise<number> {
  const bursts = 31;
  const each: number[] = [];
  for (let burst = 0; burst < bursts; burst++) {
    await session.finish?.();
    const start = performance.now();
    for (let i = 0; i < times; i++) {
      const pending = session.run();
      if (pending) await pending;
    }
    each.push((1000 * (performance.now() - start)) / times);
  }
  await session.finish?.();
  return median(each);
}

/**
 * Runs in batches, with one wait at the end of each. A device is given no more than the time that is left, by the pace so
 * far, and no more than twice what it has done: else a host that is quicker would queue hours of work in the window.
 */
async function measureAhead(session: Session, least: number): Promise<Answer> {
  const start = performance.now();
  let runs = 0;
  let elapsed = 0;
  do {
    const left = runs === 0 ? 1 : Math.ceil((least - elapsed) / (elapsed / runs));
    const batch = Math.max(1, Math.min(left, 2 * runs));
    let given = 0;
    await repeat(session, () => ++given < batch);
    runs += batch;
    elapsed = performance.now() - start;
  } while (elapsed < least);
  return { kind: "measured", milliseconds: elapsed, runs };
}

export async function measure(session: Session, least: number): Promise<Answer> {
  if (session.finish) return measureAhead(session, least);
  let own = 0;
  let runs = 0;
  const start = performance.now();
  await repeat(session, () => {
    own += session.lastMilliseconds ?? 0;
    runs++;
    return performance.now() - start < least;
  });
  const milliseconds = session.lastMilliseconds === undefined ? performance.now() - start : own;
  return { kind: "measured", milliseconds, runs };
}
