/** TensorFlow.js in Node, on its cpu or its wasm backend, from the folder it was installed into. */
import { createRequire } from "node:module";
import type { WorkloadSpec } from "../../spec.ts";
import { beyondFloat32, type LoadOptions, type Refusal, type Runner, type Session, textOption } from "../session.ts";
import type { Tfjs, TfjsWasm } from "./library.ts";
import { elementwiseSession, layerNormSession, matmulSession, softmaxSession } from "./operations.ts";
import { cnnSession, gptSession, mlpSession } from "./training.ts";
import { updateSession } from "./updates.ts";

/** Options: `folder`, where its packages are, and `backend`, cpu or wasm. */
export async function loadTfjs({ threads, options }: LoadOptions): Promise<Runner> {
  const [folder, backend] = [textOption(options, "folder"), textOption(options, "backend")];
  const require = createRequire(`${folder}/package.json`);
  const tf = require("@tensorflow/tfjs") as Tfjs;
  tf.enableProdMode();
  let wasm: TfjsWasm | undefined;
  if (backend === "wasm") {
    wasm = require("@tensorflow/tfjs-backend-wasm") as TfjsWasm;
    if (threads !== undefined) wasm.setThreadsCount(threads);
  }
  await tf.setBackend(backend);
  if (tf.getBackend() !== backend) throw new Error(`tfjs: expected backend ${backend}, got ${tf.getBackend()}`);
  return {
    description: `@tensorflow/tfjs ${tf.version.tfjs}, backend ${backend}; Node ${process.versions.node}, V8 ${process.versions.v8}`,
    // In Node it takes the build without threads, whatever was asked for.
    threads: wasm?.getThreadsCount() ?? 1,
    start: (workload) => start(tf, workload),
  };
}

function start(tf: Tfjs, spec: WorkloadSpec): Session | Refusal {
  const refusal = beyondFloat32(spec);
  if (refusal) return refusal;
  switch (spec.kind) {
    case "matmul":
      return matmulSession(tf, spec);
    case "elementwise":
      return elementwiseSession(tf, spec);
    case "softmax":
      return softmaxSession(tf, spec);
    case "layerNorm":
      return layerNormSession(tf, spec);
    case "mlp":
      return mlpSession(tf, spec);
    case "cnn":
      return cnnSession(tf, spec);
    case "gpt":
      return gptSession(tf, spec);
    case "optimizer":
      return updateSession(tf, spec);
    default:
      return { reason: `unknown kind of workload: ${(spec satisfies never as WorkloadSpec).kind}` };
  }
}
