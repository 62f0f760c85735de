/** What a page, or a worker of a page, can be asked to do. */
import { conformance } from "./conformance.ts";
import { train } from "./train.ts";

export const tasks = { conformance, train } as const;

export type Tasks = typeof tasks;
export type TaskName = keyof Tasks;
export type RequestOf<Name extends TaskName> = Parameters<Tasks[Name]>[0];
export type ResultOf<Name extends TaskName> = Awaited<ReturnType<Tasks[Name]>>;
