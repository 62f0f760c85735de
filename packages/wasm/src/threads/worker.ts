/**
 * What runs in a worker. The function goes there as text, so that no file has to be found from a bundle: it names nothing
 * from outside itself but what every engine has.
 */
import type { WasmInstance, WasmMemory, WasmModule } from "../engine.ts";
import type { control } from "./control.ts";

export interface WorkerStart {
  readonly memory: WasmMemory;
  /** 1 and up; the caller is 0. */
  readonly thread: number;
  readonly control: typeof control;
  readonly crashTextLimit: number;
}

interface WorkerGlobals {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => WasmModule;
    readonly Instance: new (module: WasmModule, imports: unknown) => WasmInstance;
  };
}

/** Works for ever, until the memory says that it is the end; never returns to the event loop before. */
export function workerMain({ memory, thread, control, crashTextLimit }: WorkerStart): void {
  const { WebAssembly } = globalThis as unknown as WorkerGlobals;
  const math = {
    ...{ exp: Math.exp, log: Math.log, log1p: Math.log1p, expm1: Math.expm1 },
    ...{ sin: Math.sin, cos: Math.cos, tan: Math.tan, tanh: Math.tanh, power: Math.pow },
    modulo: (a: number, b: number) => a % b,
  };
  const words = new Int32Array(memory.buffer, 0, 256);
  const at = (address: number): number => address >> 2;
  const known = new Map<number, (executable: number, thread: number) => number>();
  const knownLimit = 256;

  const load = (executable: number): ((executable: number, thread: number) => number) | undefined => {
    const address = Atomics.load(words, at(control.moduleAddress)) >>> 0;
    const length = Atomics.load(words, at(control.moduleLength));
    const bytes = new Uint8Array(memory.buffer, address, length).slice();
    // What was copied is that executable's only if it still is the one that runs.
    if (Atomics.load(words, at(control.executable)) !== executable) return undefined;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory }, math });
    return instance.exports.work as (executable: number, thread: number) => number;
  };

  const crash = (error: unknown): void => {
    const text = String(error).slice(0, crashTextLimit);
    const codes = new Uint16Array(memory.buffer, control.crashText, text.length);
    for (let i = 0; i < text.length; i++) codes[i] = text.charCodeAt(i);
    Atomics.store(words, at(control.crashLength), text.length);
    Atomics.store(words, at(control.crashed), 1);
  };

  for (;;) {
    const seen = Atomics.load(words, at(control.wake));
    const executable = Atomics.load(words, at(control.executable));
    if (executable < 0) return;
    let work = known.get(executable);
    if (executable > 0 && work === undefined) {
      try {
        work = load(executable);
      } catch (error) {
        // Such a worker is of no use; the others do its share.
        if (Atomics.load(words, at(control.executable)) === executable) {
          crash(error);
          return;
        }
      }
      if (work === undefined) continue;
      known.set(executable, work);
      if (known.size > knownLimit) known.delete(known.keys().next().value as number);
    }
    if (work === undefined) {
      Atomics.add(words, at(control.sleepers), 1);
      if (Atomics.load(words, at(control.executable)) === executable) Atomics.wait(words, at(control.wake), seen);
      Atomics.sub(words, at(control.sleepers), 1);
      continue;
    }
    try {
      work(executable, thread);
    } catch (error) {
      // It threw within a task, which counts as done so that the caller goes on and sees the crash.
      crash(error);
      Atomics.add(words, at(control.done), 1);
      Atomics.notify(words, at(control.done));
    }
  }
}
