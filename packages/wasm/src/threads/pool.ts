/** The workers of a backend: started once, asleep between Programs, never keeping a process alive. */
import { BackendError } from "@thalweg/core/backend";
import type { WasmMemory } from "../engine.ts";
import { control, crashTextLimit } from "./control.ts";
import { type WorkerStart, workerMain } from "./worker.ts";

interface NodeWorker {
  unref(): void;
  terminate(): Promise<number>;
  on(event: "error", listener: (error: unknown) => void): void;
}
interface WebWorker {
  postMessage(message: unknown): void;
  terminate(): void;
  onerror: ((event: { readonly message?: string }) => void) | null;
}

interface Globals {
  readonly process?: { getBuiltinModule?(name: string): unknown };
  readonly Worker?: new (url: string, options?: { readonly type?: "classic"; readonly name?: string }) => WebWorker;
  readonly Blob?: new (parts: readonly string[], options: { readonly type: string }) => object;
  readonly URL?: { createObjectURL(blob: object): string; revokeObjectURL(url: string): void };
  readonly document?: unknown;
  readonly console?: { warn(message: string): void };
}
interface NodeThreads {
  readonly Worker: new (
    code: string,
    options: {
      readonly eval: true;
      readonly workerData: WorkerStart;
      readonly name: string;
      readonly execArgv: string[];
    },
  ) => NodeWorker;
}

const globals = globalThis as unknown as Globals;

const nodeThreads = (): NodeThreads | undefined =>
  globals.process?.getBuiltinModule?.("node:worker_threads") as NodeThreads | undefined;

/** Whether threads can be started here. */
export const hasThreads = (): boolean =>
  nodeThreads() !== undefined || (globals.Worker !== undefined && globals.Blob !== undefined);

/** Whether the current thread may sleep: a browser's main thread may not. */
export const maySleep = (): boolean => globals.document === undefined;

/** How many threads the machine runs at once. */
export function availableThreads(): number {
  const { navigator } = globalThis as { readonly navigator?: { readonly hardwareConcurrency?: number } };
  return Math.max(1, navigator?.hardwareConcurrency ?? 1);
}

export class Pool {
  readonly #words: Int32Array;
  readonly #memory: WasmMemory;
  readonly #terminate: (() => void)[] = [];

  /** Starts `threads` - 1 workers without waiting for them: they take part as soon as they run. */
  constructor(memory: WasmMemory, threads: number) {
    this.#memory = memory;
    this.#words = new Int32Array(memory.buffer, 0, 256);
    for (let thread = 1; thread < threads; thread++) this.#start({ memory, thread, control, crashTextLimit });
  }

  #start(start: WorkerStart): void {
    const threads = nodeThreads();
    const name = `thalweg ${start.thread}`;
    // The others do its share, so it is no failure of a run.
    const lose = (error: unknown): void => {
      globals.console?.warn(`wasm: thread ${start.thread} could not be started, or ended: ${String(error)}`);
    };
    if (threads) {
      const code = `(${workerMain.toString()})(require("node:worker_threads").workerData)`;
      const worker = new threads.Worker(code, { eval: true, workerData: start, name, execArgv: [] });
      worker.on("error", lose);
      worker.unref();
      this.#terminate.push(() => void worker.terminate());
      return;
    }
    const { Worker, Blob, URL } = globals as Required<Globals>;
    const code = `onmessage = ({ data }) => (${workerMain.toString()})(data);`;
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const worker = new Worker(url, { name });
    worker.onerror = (event) => lose(event.message ?? "a content-security policy may forbid it");
    worker.postMessage(start);
    this.#terminate.push(() => {
      worker.terminate();
      URL.revokeObjectURL(url);
    });
  }

  #at(address: number): number {
    return address >> 2;
  }

  /** Says which executable runs from now on. */
  choose(executable: number, moduleAddress: number, moduleLength: number): void {
    const words = this.#words;
    if (words[this.#at(control.executable)] === executable) return;
    Atomics.store(words, this.#at(control.moduleAddress), moduleAddress);
    Atomics.store(words, this.#at(control.moduleLength), moduleLength);
    Atomics.store(words, this.#at(control.executable), executable);
  }

  /**
   * After a kernel threw in the caller: nobody claims any more tasks of the launch, and those who are at one have finished it
   * when this returns.
   */
  quiet(): void {
    const words = this.#words;
    const work = new BigInt64Array(this.#memory.buffer, control.work, 1);
    const before = Atomics.load(work, 0);
    const old = Atomics.exchange(work, 0, ((before >> 32n) + 1n) << 32n);
    const unclaimed = Number(old & 0xffff_ffffn);
    // The task it threw in, if it was one, is not counted either.
    const own = words[this.#at(control.own)] as number;
    words[this.#at(control.own)] = 0;
    const expected = ((words[this.#at(control.target)] as number) - unclaimed - own) | 0;
    while (Atomics.load(words, this.#at(control.done)) !== expected);
  }

  /** Throws BackendError if a worker crashed since it was last asked. */
  checkCrash(): void {
    const words = this.#words;
    if (Atomics.exchange(words, this.#at(control.crashed), 0) === 0) return;
    const length = Atomics.load(words, this.#at(control.crashLength));
    const text = String.fromCharCode(...new Uint16Array(this.#memory.buffer, control.crashText, length));
    throw new BackendError("wasm", `a worker crashed: ${text}`);
  }

  /** Ends the workers. */
  dispose(): void {
    Atomics.store(this.#words, this.#at(control.executable), -1);
    Atomics.add(this.#words, this.#at(control.wake), 1);
    Atomics.notify(this.#words, this.#at(control.wake));
    for (const terminate of this.#terminate) terminate();
  }
}
