/** What a backend's device does at most, through the backend itself: how fast it copies, and its largest products. */
import { cast, compile, matmul, randn, type Tensor, useBackend } from "@thalweg/core";
import type { Affine, Backend, Instruction, Program } from "@thalweg/core/backend";
import type { DevicePeaks } from "../../protocol.ts";
import type { Arithmetic } from "../../spec.ts";
import { fence } from "./reading.ts";

export interface PeakOptions {
  /** Elements, of float32, that are copied: far beyond any cache. */
  readonly copied?: number;
  /** Of square matrices; which are the fastest differs with the arithmetic and the device. */
  readonly sizes?: readonly number[];
  /** For each figure. */
  readonly milliseconds?: number;
}

/** A GiB, so that copies last several hundred microseconds on the fastest memory there is. */
const defaults = { copied: 2 ** 28, sizes: [4096, 8192, 12_288], milliseconds: 400 } as const;

/** `makeTf32` gives a backend that computes float32 products in TF32, where the device has that. */
export async function devicePeaks(
  backend: Backend,
  makeTf32?: () => Promise<Backend> | Backend,
  options: PeakOptions = {},
): Promise<DevicePeaks> {
  const copyGbps = await copyRate(backend, options);
  const gflops: Partial<Record<Arithmetic, number>> = { float32: await productRate("float32", options) };
  if (backend.capabilities.dtypes.has("bfloat16")) gflops.bfloat16 = await productRate("bfloat16", options);
  const other = await makeTf32?.();
  if (other) {
    useBackend(other);
    try {
      gflops.tf32 = await productRate("float32", options);
    } finally {
      useBackend(backend);
      other.dispose();
    }
  }
  return { copyGbps, gflops };
}

/**
 * Milliseconds of one run at the quickest: runs are given to the device in batches of some tens of milliseconds, each ended by a wait.
 */
async function quickest(
  run: () => void,
  wait: () => Promise<unknown> | unknown,
  { milliseconds = defaults.milliseconds }: PeakOptions,
): Promise<number> {
  const batchOf = async (runs: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < runs; i++) run();
    await wait();
    return (performance.now() - start) / runs;
  };
  // Compiles, and brings the clocks up.
  await batchOf(1);
  const runs = Math.max(1, Math.min(64, Math.floor(milliseconds / 8 / (await batchOf(2)))));
  const start = performance.now();
  let best = Number.POSITIVE_INFINITY;
  do best = Math.min(best, await batchOf(runs));
  while (performance.now() - start < milliseconds);
  return best;
}

const along = (stride: number): Affine => ({ offset: 0, strides: [stride] });

/** A Program of one kernel over `count` elements, its buffers bound in order: those read, then the one written. */
function program(sizes: readonly number[], count: number, body: readonly Instruction[]): Program {
  return {
    buffers: sizes.map((size, i) => ({ dtype: "float32", size, kind: i === sizes.length - 1 ? "output" : "input" })),
    uniforms: [],
    kernels: [
      {
        kind: "loop",
        label: "copy",
        outer: [count],
        inner: [],
        stages: [{ over: "outer", body }],
        segments: [{ size: count, buffers: sizes.map((_, i) => i) }],
      },
    ],
    arenaBytes: 0,
  };
}

/** GB/s, bytes read plus bytes written. */
async function copyRate(backend: Backend, options: PeakOptions): Promise<number> {
  const { copied: size = defaults.copied } = options;
  const [from, to, ends] = [size, size, 2].map((elements) => backend.allocate("float32", elements)) as [
    object,
    object,
    object,
  ];
  try {
    const fill = backend.compile(
      program([size], size, [
        { id: 0, op: "index", dtype: "int32", affine: { offset: 1, strides: [1] } },
        { id: 1, op: "cast", dtype: "float32", args: [0] },
        { id: 2, op: "store", slot: 0, at: along(1), value: 1 },
      ]),
    );
    const copy = backend.compile(
      program([size, size], size, [
        { id: 0, op: "load", dtype: "float32", slot: 0, at: along(1) },
        { id: 1, op: "store", slot: 1, at: along(1), value: 0 },
      ]),
    );
    const look = backend.compile(
      program([size, 2], 2, [
        { id: 0, op: "load", dtype: "float32", slot: 0, at: along(size - 1) },
        { id: 1, op: "store", slot: 1, at: along(1), value: 0 },
      ]),
    );
    backend.run(fill, [from], []);
    const milliseconds = await quickest(
      () => backend.run(copy, [from, to], []),
      () => backend.read(ends),
      options,
    );
    backend.run(look, [to, ends], []);
    const [first, last] = await backend.read(ends);
    if (first !== 1 || last !== Math.fround(size)) throw new Error(`a copy gave ${first} and ${last} at its ends`);
    return (2 * 4 * size) / (1e6 * milliseconds);
  } finally {
    for (const buffer of [from, to, ends]) backend.free(buffer);
  }
}

/** GFLOP/s of the size that is fastest, on the current backend; a multiply-add counts as two operations. */
async function productRate(dtype: "float32" | "bfloat16", options: PeakOptions): Promise<number> {
  const { sizes = defaults.sizes } = options;
  const rates: number[] = [];
  for (const size of sizes) {
    // Random numbers: on zeros a device draws less power, and runs faster than it would on anything real.
    const make = compile(() => cast(randn([size, size]), dtype));
    const [a, b] = [make(), make()];
    const multiply = compile((x: Tensor, y: Tensor) => matmul(x, y));
    let product: Tensor | undefined;
    const run = (): void => {
      product?.dispose();
      product = multiply(a, b);
    };
    rates.push((2 * size ** 3) / (1e6 * (await quickest(run, fence(), options))));
    for (const tensor of [a, b, product]) tensor?.dispose();
  }
  return Math.max(...rates);
}
