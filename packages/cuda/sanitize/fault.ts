/**
 * Does what the sanitizers must find, for the test that they do: writes one element beyond an array, as an index that the
 * compiler sees or through a pointer of which it knows nothing.
 */
import { loadLibraries } from "../src/native/load.ts";

const source = `extern "C" __global__ void beyond(long long at, long long hidden) {
  __shared__ float values[64];
  float* volatile pointer = values;
  if (hidden) pointer[at] = 1;
  else values[at] = 1;
}
`;

const { libraries } = loadLibraries({ driver: "emulated" });
const context = libraries.createContext(0);
const stream = context.createStream(false);
const [image] = libraries.compile([source], {}, ["--std=c++17"], 1);
const beyond = context.loadModule(image as Uint8Array).function("beyond", 0);
const hidden = process.argv[2] === "pointer" ? 1 : 0;
for (const at of [63, 64]) {
  const launch = { kind: "kernel", function: beyond, grid: [1, 1, 1], block: [1, 1, 1], sharedBytes: 0 } as const;
  context.createSequence([{ ...launch, arguments: [at, hidden] }]).launch(stream, 0, 0, 0);
  stream.synchronize();
  console.log(`wrote element ${at}`);
}
