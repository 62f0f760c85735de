/**
 * What the first run of a training step costs: tracing, compiling and running it once, with nothing known before. Every
 * run gets a thread of its own, with a JavaScript engine and a library that have just been loaded, since caches (of
 * Programs, of generated code, of the engine's own) can be emptied in no other way. Only the step counts: loading the
 * library and making the parameters do not.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { SpecOf, WorkloadSpec } from "../spec.ts";
import { loadRunner } from "./loadRunner.ts";
import type { LoadOptions, Refusal, Session } from "./session.ts";

interface Task {
  readonly purpose: "firstRun";
  readonly load: LoadOptions;
  readonly workload: WorkloadSpec;
}

type Outcome = Refusal | { readonly milliseconds: number; readonly values: readonly number[] };

async function perform({ load, workload }: Task): Promise<Outcome> {
  const session = await (await loadRunner(load)).start(workload);
  if ("reason" in session) return session;
  const start = performance.now();
  await session.run();
  await session.finish?.();
  return { milliseconds: performance.now() - start, values: await session.check() };
}

function inNewThread(task: Task): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: task });
    worker.once("message", (outcome: Outcome) => {
      resolve(outcome);
      void worker.terminate();
    });
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the first run's thread ended with code ${code}`)));
  });
}

/** The same step as without `compileOnly`, from the same start at every run. */
export async function firstRunSession(load: LoadOptions, spec: SpecOf<"gpt">): Promise<Session | Refusal> {
  const task: Task = { purpose: "firstRun", load, workload: { ...spec, compileOnly: false } };
  let last: Exclude<Outcome, Refusal> | undefined;
  const once = async (): Promise<Refusal | undefined> => {
    const outcome = await inNewThread(task);
    if ("reason" in outcome) return outcome;
    last = outcome;
    return undefined;
  };
  const refusal = await once();
  if (refusal) return refusal;
  return {
    async run() {
      const refused = await once();
      if (refused) throw new Error(refused.reason);
    },
    check: () => last?.values ?? [],
    get lastMilliseconds() {
      return last?.milliseconds ?? 0;
    },
  };
}

const task = workerData as Partial<Task> | null;
if (!isMainThread && parentPort && task?.purpose === "firstRun") parentPort.postMessage(await perform(task as Task));
