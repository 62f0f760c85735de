/**
 * What the C++ addon exposes: memory, modules, launches, streams, events, graphs and products, one method for one thing the
 * driver does, and no policy. Every method throws `CudaError` (below) when a call of a library fails. Addresses and sizes
 * are numbers: a GPU's addresses have at most 57 bits of which allocations use the low 49, so a double holds them exactly.
 *
 * Objects own what they stand for and give it back when they are disposed of or collected; `dispose` may be called twice.
 */

/** Thrown for a failed call: `name` of the status (`CUDA_ERROR_OUT_OF_MEMORY`), its number, and what was attempted. */
export interface CudaError extends Error {
  readonly name: "CudaError";
  readonly library: "driver" | "nvrtc" | "cublasLt";
  /**
   * `CUDA_ERROR_ILLEGAL_ADDRESS`, `NVRTC_ERROR_COMPILATION`, `CUBLAS_STATUS_NOT_SUPPORTED`; of the addon itself:
   * `LIBRARY_MISSING` (not found by `open`) and `DISPOSED` (use of an object, or of its context, after `dispose`).
   */
  readonly code: string;
  /** -1 for the addon's own codes. */
  readonly status: number;
  /** The function that failed, and with what: `cuMemAlloc_v2 of 4294967296 bytes`. */
  readonly call: string;
  /** NVRTC's log, when compiling failed. */
  readonly log?: string;
}

/** A library that was looked for: where it was found, or what each candidate answered. */
export interface LoadedLibrary {
  readonly path?: string;
  readonly tried: readonly { readonly path: string; readonly error: string }[];
}

export interface LibraryCandidates {
  /**
   * Paths or names for dlopen, in order; the first that loads, has every function needed and (the driver) can be initialised
   * is taken. A driver without a GPU cannot: its `tried` says `cuInit: CUDA_ERROR_NO_DEVICE`.
   */
  readonly driver: readonly string[];
  readonly nvrtc: readonly string[];
  readonly cublasLt: readonly string[];
}

export interface Addon {
  /** Number of this interface; JavaScript that expects another one refuses to use the addon. */
  readonly interfaceVersion: number;
  /** Loads the libraries and initialises the driver. Does not throw when a library is missing: see `NativeLibraries`. */
  open(candidates: LibraryCandidates): NativeLibraries;
}

export interface DeviceInfo {
  readonly ordinal: number;
  readonly name: string;
  /** Compute capability as one number: 80, 90, 100. */
  readonly architecture: number;
  readonly multiprocessors: number;
  readonly memoryBytes: number;
  readonly l2Bytes: number;
  /** Most shared memory one block may ask for. */
  readonly sharedBytesPerBlock: number;
  readonly sharedBytesPerMultiprocessor: number;
  readonly clockKiloHertz: number;
  readonly memoryClockKiloHertz: number;
  readonly memoryBusBits: number;
  readonly uuid: string;
}

export interface NativeLibraries {
  readonly driver: LoadedLibrary;
  readonly nvrtc: LoadedLibrary;
  readonly cublasLt: LoadedLibrary;
  /** Of the driver's interface, 13000 for CUDA 13.0; undefined without a driver. */
  readonly driverVersion?: number;
  readonly nvrtcVersion?: readonly [number, number];
  readonly cublasLtVersion?: number;
  /** The emulated driver says so of itself. */
  readonly emulated: boolean;
  devices(): readonly DeviceInfo[];
  /** A context of its own on a device: nothing is shared with other contexts. */
  createContext(ordinal: number): NativeContext;
  /**
   * Compiles CUDA C sources by NVRTC to loadable images (cubin), each by itself, up to `threads` at once. `headers`: text by
   * the name it is included as. `options` such as `--gpu-architecture=sm_90`, `--fmad=false`.
   */
  compile(
    sources: readonly string[],
    headers: Readonly<Record<string, string>>,
    options: readonly string[],
    threads: number,
  ): Uint8Array[];
}

export interface NativeContext {
  /** Not cleared; synchronous. */
  allocate(bytes: number): NativeMemory;
  /** Page-locked host memory. */
  allocatePinned(bytes: number): NativePinned;
  loadModule(image: Uint8Array): NativeModule;
  /** `highPriority`: for copies that should not wait behind compute. */
  createStream(highPriority: boolean): NativeStream;
  createEvent(timing: boolean): NativeEvent;
  createSequence(launches: readonly NativeLaunch[]): NativeSequence;
  /** A plan for products of this description; undefined if the library has no algorithm for it. */
  createProduct(description: ProductDescription): NativeProduct | undefined;
  /** `[free, total]` bytes of the device. */
  memoryInfo(): readonly [number, number];
  synchronize(): void;
  /** Tells the JavaScript engine that its objects hold so many bytes more (or fewer) outside of its heap; gives what it knows of now. */
  adjustExternalMemory(bytes: number): number;
  /** Waits for what is running, then gives back everything made in the context; using any of that throws `DISPOSED`. */
  dispose(): void;
}

export interface NativeMemory {
  readonly address: number;
  readonly bytes: number;
  dispose(): void;
}

export interface NativePinned {
  /** View of the memory; `dispose` detaches it. */
  readonly data: ArrayBuffer;
  /** The same for host and device. */
  readonly address: number;
  dispose(): void;
}

export interface NativeModule {
  /** Throws CudaError if there is no such function. `sharedBytes`: dynamic shared memory it will be launched with at most. */
  function(name: string, sharedBytes: number): NativeFunction;
  /** Its functions can still be used: the module goes with the last of them. */
  dispose(): void;
}

export interface NativeFunction {
  readonly registers: number;
  /** Bytes of local memory (spills) a thread has. */
  readonly localBytes: number;
  readonly sharedBytes: number;
  /** Blocks of `threads` threads that fit on one multiprocessor. */
  occupancy(threads: number, sharedBytes: number): number;
}

export interface NativeEvent {
  record(stream: NativeStream): void;
  /** Whether everything before the record is done. */
  done(): boolean;
  synchronize(): void;
  /**
   * Resolves when it is done; waits on a thread of libuv's pool. Rejects with CudaError, `DISPOSED` among them: disposing of
   * the event or of its context ends the wait.
   */
  wait(): Promise<void>;
  /** Milliseconds since `start`; both with timing, both done. */
  elapsed(start: NativeEvent): number;
  dispose(): void;
}

export interface NativeStream {
  waitFor(event: NativeEvent): void;
  /** Asynchronous when the host side is pinned. Addresses of either side. */
  copyToDevice(to: number, from: number, bytes: number): void;
  copyToHost(to: number, from: number, bytes: number): void;
  copyOnDevice(to: number, from: number, bytes: number): void;
  /** 32-bit words; `word` as an unsigned number. */
  fill(to: number, word: number, words: number): void;
  /** Whether everything in it is done. */
  done(): boolean;
  synchronize(): void;
  dispose(): void;
}

/** One step of a sequence. Numbers are addresses. */
export type NativeLaunch =
  | {
      readonly kind: "kernel";
      readonly function: NativeFunction;
      readonly grid: readonly [number, number, number];
      readonly block: readonly [number, number, number];
      readonly sharedBytes: number;
      /** Every parameter of a kernel is 8 bytes: a pointer or a `long long`. */
      readonly arguments: readonly number[];
      /** Indices of earlier launches that must be done; undefined: the one before. */
      readonly after?: readonly number[];
    }
  | {
      readonly kind: "fill";
      readonly word: number;
      readonly words: number;
      /** [to] */
      readonly arguments: readonly number[];
      readonly after?: readonly number[];
    }
  | {
      readonly kind: "product";
      readonly product: NativeProduct;
      /** [a, b, c, d, bias, workspace]; 0 where there is none. */
      readonly arguments: readonly number[];
      readonly after?: readonly number[];
    };

/** Launches in order, sent one by one or, once instantiated, as one CUDA graph. */
export interface NativeSequence {
  /** Builds the graph; `launch` replays it from then on. Products become child graphs that a capture records. */
  instantiate(): void;
  /** Other arguments for one launch, in the graph too. */
  setArguments(launch: number, values: readonly number[]): void;
  /**
   * Everything on `stream`, in order: copies `bytes` from pinned memory at `from` to `to` (0 bytes: nothing), then the
   * launches, then records `done` if given. One call, since this is the hot path.
   */
  launch(stream: NativeStream, to: number, from: number, bytes: number, done?: NativeEvent): void;
  dispose(): void;
}

/** D = alpha · op(A) · op(B) + beta · C, column-major as cuBLAS has it, with the numbers of its enumerations. */
export interface ProductDescription {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** 1 for a single product. */
  readonly batch: number;
  /** cublasComputeType_t: 68 float32, 77 float32 by TF32, 70 float64. */
  readonly computeType: number;
  /** cudaDataType_t of alpha and beta: 0 float32, 1 float64. */
  readonly scaleType: number;
  readonly alpha: number;
  readonly beta: number;
  readonly a: ProductMatrix;
  readonly b: ProductMatrix;
  /** Of C and D. */
  readonly d: ProductMatrix;
  /** cublasLtEpilogue_t: 1 none, 4 bias. */
  readonly epilogue: number;
  /** cudaDataType_t. */
  readonly biasType: number;
  readonly workspaceBytes: number;
  /** Which of the heuristic's answers, from 0, when several are compared. */
  readonly choice: number;
  /** All addresses are multiples of it, a power of two: algorithms that need more are not chosen. 256 by default. */
  readonly alignment?: number;
}

export interface ProductMatrix {
  /** cudaDataType_t: 0 float32, 1 float64, 2 float16, 14 bfloat16. */
  readonly type: number;
  readonly transposed: boolean;
  /** Elements from one column to the next. */
  readonly leading: number;
  /** Elements from one of a batch to the next. */
  readonly batchStride: number;
}

export interface NativeProduct {
  /** Bytes of workspace the algorithm wants. */
  readonly workspaceBytes: number;
  /** Sequences with it can still be used. */
  dispose(): void;
}
