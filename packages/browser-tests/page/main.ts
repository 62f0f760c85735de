/** What the tests call in the page. Everything comes from the packages by name, as in a user's own page. */
import { type RequestOf, type ResultOf, type TaskName, type Tasks, tasks } from "./tasks.ts";
import type { Delivery, Order } from "./worker.ts";

export interface PageTests extends Tasks {
  /** The same in a new worker. */
  readonly inWorker: <Name extends TaskName>(name: Name, request: RequestOf<Name>) => Promise<ResultOf<Name>>;
}

function inWorker<Name extends TaskName>(name: Name, request: RequestOf<Name>): Promise<ResultOf<Name>> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const order: Order = { name, request };
  return new Promise<ResultOf<Name>>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Delivery>) => {
      if ("error" in data) reject(new Error(data.error));
      else resolve(data.result as ResultOf<Name>);
    };
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(order);
  }).finally(() => worker.terminate());
}

declare global {
  interface Window {
    thalweg?: PageTests;
  }
}

window.thalweg = { ...tasks, inWorker };
