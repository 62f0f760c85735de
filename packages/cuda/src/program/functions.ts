/** The functions of all Programs of a backend: each text is compiled once, and found on disk the next time. */
import { createHash } from "node:crypto";
import { deviceHeaders } from "../device.ts";
import type { KernelLaunch } from "../kernel/launch.ts";
import type { NativeContext, NativeFunction, NativeLibraries, NativeModule } from "../native/addon.ts";
import type { DiskCache } from "./diskCache.ts";
import { functionName, translationUnit } from "./translationUnit.ts";

/** Fewer functions than this are not worth another thread: every source parses the headers again. */
const functionsPerSource = 6;

export interface Compiler {
  readonly libraries: NativeLibraries;
  readonly context: NativeContext;
  readonly architecture: number;
  readonly threads: number;
  readonly cache: DiskCache | undefined;
}

/** Strict arithmetic: what the Program says is one operation is one. */
export const compilerOptions = (architecture: number): string[] => [
  `--gpu-architecture=sm_${architecture}`,
  "--std=c++17",
  "--fmad=false",
  "-default-device",
];

const cut = <T>(list: readonly T[], pieces: number): T[][] =>
  Array.from({ length: pieces }, (_, i) =>
    list.slice(Math.floor((i * list.length) / pieces), Math.floor(((i + 1) * list.length) / pieces)),
  );

export class Functions {
  readonly #compiler: Compiler;
  readonly #options: readonly string[];
  readonly #functions = new Map<string, NativeFunction>();
  /** Kept alive: functions are theirs. */
  readonly #modules: NativeModule[] = [];
  /** All but the sources that a module depends on. */
  readonly #version: string;

  constructor(compiler: Compiler) {
    this.#compiler = compiler;
    this.#options = compilerOptions(compiler.architecture);
    const { libraries } = compiler;
    this.#version = JSON.stringify([
      this.#options,
      libraries.nvrtcVersion,
      // The emulation's compiler is what its environment says.
      libraries.emulated && [process.env.THALWEG_CUDA_EMULATION_CXX, process.env.THALWEG_CUDA_EMULATION_FLAGS],
      deviceHeaders(),
    ]);
  }

  /** The functions of these launches, in order. Throws CudaError with NVRTC's log if a text does not compile. */
  of(launches: readonly KernelLaunch[]): NativeFunction[] {
    const keyOf = ({ source, sharedBytes }: KernelLaunch): string => `${functionName(source)} ${sharedBytes}`;
    const keys = launches.map(keyOf);
    const missing = new Map<string, KernelLaunch>();
    launches.forEach((launch, i) => {
      const key = keys[i] as string;
      if (!this.#functions.has(key)) missing.set(key, launch);
    });
    if (missing.size > 0) this.#compile([...missing]);
    return keys.map((key) => this.#functions.get(key) as NativeFunction);
  }

  #compile(missing: readonly (readonly [string, KernelLaunch])[]): void {
    const { libraries, context, threads, cache } = this.#compiler;
    const pieces = Math.max(1, Math.min(threads, Math.ceil(missing.length / functionsPerSource)));
    const groups = cut(missing, pieces);
    const sources = groups.map((group) => translationUnit([...new Set(group.map(([, { source }]) => source))]));
    const hashes = sources.map((source) => createHash("sha256").update(this.#version).update(source).digest("hex"));
    const images = hashes.map((hash) => cache?.read(hash));
    const absent = images.flatMap((image, i) => (image ? [] : [i]));
    if (absent.length > 0) {
      const compiled = libraries.compile(
        absent.map((i) => sources[i] as string),
        deviceHeaders(),
        this.#options,
        threads,
      );
      compiled.forEach((image, j) => {
        const i = absent[j] as number;
        images[i] = image;
        cache?.write(hashes[i] as string, image);
      });
    }
    groups.forEach((group, i) => {
      const module = context.loadModule(images[i] as Uint8Array);
      this.#modules.push(module);
      for (const [key, { source, sharedBytes }] of group) {
        this.#functions.set(key, module.function(functionName(source), sharedBytes));
      }
    });
  }

  dispose(): void {
    for (const module of this.#modules) module.dispose();
    this.#modules.length = 0;
    this.#functions.clear();
  }
}
