/** jax-js in Node, on its wasm device, from the folder it was installed into. */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { WorkloadSpec } from "../../spec.ts";
import { beyondFloat32, type LoadOptions, type Refusal, type Runner, type Session, textOption } from "../session.ts";
import type { Jax } from "./library.ts";
import { elementwiseSession, layerNormSession, matmulSession, softmaxSession } from "./operations.ts";
import { cnnSession, gptSession, mlpSession } from "./training.ts";
import { updateSession } from "./updates.ts";

/** Options: `folder`, where its package is. It computes with one thread in Node, which has no `Worker` of the web's kind. */
export async function loadJaxJs({ options }: LoadOptions): Promise<Runner> {
  const folder = `${textOption(options, "folder")}/node_modules/@jax-js/jax`;
  const { version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as { version: string };
  const jax = (await import(pathToFileURL(`${folder}/dist/index.js`).href)) as Jax;
  const device = "wasm";
  const devices = await jax.init(device);
  if (!devices.includes(device))
    throw new Error(`jax-js: device ${device} is missing, there are ${devices.join(", ")}`);
  jax.defaultDevice(device);
  return {
    description: `@jax-js/jax ${version}, device ${device}; Node ${process.versions.node}, V8 ${process.versions.v8}`,
    threads: 1,
    start: (workload) => start(jax, workload),
  };
}

function start(jax: Jax, spec: WorkloadSpec): Session | Refusal {
  const refusal = beyondFloat32(spec);
  if (refusal) return refusal;
  switch (spec.kind) {
    case "matmul":
      return matmulSession(jax, spec);
    case "elementwise":
      return elementwiseSession(jax, spec);
    case "softmax":
      return softmaxSession(jax, spec);
    case "layerNorm":
      return layerNormSession(jax, spec);
    case "mlp":
      return mlpSession(jax, spec);
    case "cnn":
      return cnnSession(jax, spec);
    case "gpt":
      return gptSession(jax, spec);
    case "optimizer":
      return updateSession(jax, spec);
    default:
      return { reason: `unknown kind of workload: ${(spec satisfies never as WorkloadSpec).kind}` };
  }
}
