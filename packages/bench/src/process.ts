/** A runner's own process, spoken to in the JSON lines of `protocol.ts`. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Answer, DevicePeaks, Request } from "./protocol.ts";
import type { WorkloadSpec } from "./spec.ts";

/** How a runner's process is started. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
}

/** A runner whose process ended, gave no answer in time or said something else than the protocol has; or that failed at a request. */
export class RunnerError extends Error {
  override readonly name = "RunnerError";
}

/** Which answer each request gets. */
interface AnswerKinds {
  readonly load: "loaded";
  readonly start: "started";
  readonly run: "ran";
  readonly measure: "measured";
  readonly check: "checked";
  readonly memory: "memory";
  readonly dispatch: "dispatched";
  readonly limits: "limits";
}
type AnswerTo<Kind extends Request["kind"]> = Extract<Answer, { readonly kind: AnswerKinds[Kind] }>;

const answerKinds: { readonly [Kind in keyof AnswerKinds]: AnswerKinds[Kind] } = {
  load: "loaded",
  start: "started",
  run: "ran",
  measure: "measured",
  check: "checked",
  memory: "memory",
  dispatch: "dispatched",
  limits: "limits",
};

interface Pending {
  resolve(answer: Answer): void;
  reject(error: RunnerError): void;
}

/** Runs whose calls are timed together: far fewer than a device takes before its queue is full and calls wait. */
const burst = 100;

/** Characters of a runner's standard error that are kept. */
const keptErrors = 4096;

/** A runner that does not answer within this many milliseconds is taken to hang: far longer than any workload's slowest run. */
const patience = 15 * 60_000;

/**
 * One process, asked one thing at a time. What it writes to its standard error is kept, and quoted when it fails. After a
 * failure of the process itself every further request fails with the same cause.
 */
export class RunnerProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #patience: number;
  #note: string | undefined;
  #pending: Pending | undefined;
  #ended: RunnerError | undefined;
  #errors = "";
  readonly #gone: Promise<void>;

  constructor(launch: Launch, options: { readonly patience?: number } = {}) {
    this.#patience = options.patience ?? patience;
    this.#child = spawn(launch.command, launch.args, { stdio: "pipe", windowsHide: true });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-keptErrors);
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#receive(line));
    // A process that ended cannot take a request; how it ended is what `close` tells.
    this.#child.stdin.on("error", () => undefined);
    this.#gone = new Promise((resolve) => {
      this.#child.on("error", (error) => {
        this.#end(`cannot be started: ${error.message}`);
        resolve();
      });
      this.#child.on("exit", () => resolve());
      // Later than `exit`: all that it wrote has been read.
      this.#child.on("close", (code, signal) => {
        this.#end(signal ? `its process was ended by ${signal}` : `its process ended with code ${code}`);
      });
    });
  }

  async load(
    options: Readonly<Record<string, unknown>>,
    threads?: number,
  ): Promise<{ readonly description: string; readonly threads: number; readonly device?: string }> {
    return this.#request({ kind: "load", options, ...(threads === undefined ? {} : { threads }) });
  }
  /** Which of several ways the runner chose for the workload it was started on, where it has them. */
  get note(): string | undefined {
    return this.#note;
  }
  /** Resolves to the reason why the workload cannot be done, or undefined. */
  async start(workload: WorkloadSpec): Promise<string | undefined> {
    const { reason, note } = await this.#request({ kind: "start", workload });
    this.#note = note;
    return reason;
  }
  async run(times: number): Promise<void> {
    await this.#request({ kind: "run", times });
  }
  /** Runs for at least so many milliseconds and resolves to those of one run, on average. */
  async measure(milliseconds: number): Promise<number> {
    const answer = await this.#request({ kind: "measure", milliseconds });
    return answer.milliseconds / answer.runs;
  }
  async check(): Promise<readonly number[]> {
    const { values } = await this.#request({ kind: "check" });
    // In JSON, what is no finite number is null.
    return values.map((value: number | null) => value ?? Number.NaN);
  }
  /** Most memory the process has had so far, and what it has of its device's; undefined where it cannot tell. */
  async memory(): Promise<{ readonly peakBytes?: number; readonly deviceBytes?: number }> {
    const { kind: _, ...bytes } = await this.#request({ kind: "memory" });
    return bytes;
  }
  /** Milliseconds that the calls of a run take the host, which waits for no device. */
  async hostMs(): Promise<number> {
    return (await this.#request({ kind: "dispatch", times: burst })).microseconds / 1000;
  }
  /** What the runner's device can do at most. */
  async limits(): Promise<DevicePeaks> {
    return (await this.#request({ kind: "limits" })).limits;
  }

  /** Ends the process at once and waits until it is gone. */
  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#gone;
  }

  #request<Kind extends Request["kind"]>(request: Request & { readonly kind: Kind }): Promise<AnswerTo<Kind>> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      const late = setTimeout(() => {
        this.#fail(`gave no answer to ${request.kind} within ${Math.round(this.#patience / 1000)} s`);
      }, this.#patience);
      const settle = () => {
        clearTimeout(late);
        this.#pending = undefined;
      };
      this.#pending = {
        resolve: (answer) => {
          if (answer.kind === answerKinds[request.kind]) {
            settle();
            resolve(answer as AnswerTo<Kind>);
          } else if (answer.kind === "failed") {
            settle();
            reject(new RunnerError(answer.message));
          } else this.#fail(`answered ${request.kind} with ${JSON.stringify(answer)}`);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }

  #receive(line: string): void {
    let answer: unknown;
    try {
      answer = JSON.parse(line);
    } catch {
      // Reported below, with what was said.
    }
    const understood = typeof answer === "object" && answer !== null && "kind" in answer;
    if (!understood) this.#fail(`wrote a line that is no answer: ${line.slice(0, 200)}`);
    else if (!this.#pending) this.#fail(`answered without being asked: ${line.slice(0, 200)}`);
    else this.#pending.resolve(answer as Answer);
  }

  /** Once out of step with the protocol, nothing further it says can be trusted. */
  #fail(cause: string): void {
    this.#end(cause);
    this.#child.kill("SIGKILL");
  }

  #end(cause: string): void {
    const errors = this.#errors.trim();
    this.#ended ??= new RunnerError(errors === "" ? cause : `${cause}\n${errors}`);
    this.#pending?.reject(this.#ended);
  }
}

/** Whether this package runs from its TypeScript sources, which its child processes then do too. */
const fromSource = import.meta.url.endsWith(".ts");

/** The collector is called between set-up and measurement, and tests of memory need it. */
const nodeFlags: readonly string[] = ["--expose-gc", ...(fromSource ? ["--conditions=@thalweg/source"] : [])];

/** Starts a module of this package (path without extension, relative to this file) in a Node process of its own. */
export function nodeLaunch(module: string, base: string | URL = import.meta.url): Launch {
  const url = new URL(`${module}.${fromSource ? "ts" : "js"}`, base);
  return { command: process.execPath, args: [...nodeFlags, fileURLToPath(url)] };
}

/** The process of all runners written in JavaScript. */
export const runnerLaunch: Launch = nodeLaunch("runners/child");
