/** What code generation knows of the device it writes for. */
export interface Target {
  /** Compute capability as one number: 80, 90, 100. */
  readonly architecture: number;
  readonly multiprocessors: number;
  /** Most shared memory one block may ask for. */
  readonly sharedBytesPerBlock: number;
  readonly sharedBytesPerMultiprocessor: number;
  readonly l2Bytes: number;
  /** How float32 products are computed; see `CudaOptions.precision`. */
  readonly precision: Precision;
  /** Whether products may be given to cuBLASLt. */
  readonly cublasLt: boolean;
}

export type Precision = "highest" | "tf32";
