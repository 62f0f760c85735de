/** A worker of the page, for tasks that are not to hold up the page itself. Its backend starts workers of its own. */
import { type TaskName, tasks } from "./tasks.ts";

export interface Order {
  readonly name: TaskName;
  readonly request: unknown;
}
export type Delivery = { readonly result: unknown } | { readonly error: string };

const perform = tasks as Readonly<Record<TaskName, (request: never) => Promise<unknown>>>;

addEventListener("message", async ({ data }: MessageEvent<Order>) => {
  let delivery: Delivery;
  try {
    delivery = { result: await perform[data.name](data.request as never) };
  } catch (error) {
    delivery = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  postMessage(delivery);
});
