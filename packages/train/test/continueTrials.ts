/** A process that goes on with every trial whose checkpoint lies in the folder it is given, and prints the bits. */
import { join } from "node:path";
import { goOn, trials } from "./trials.ts";

const [folder] = process.argv.slice(2) as [string];
const bits: Record<string, string> = {};
for (const [i, trial] of trials.entries()) bits[trial.name] = await goOn(trial, join(folder, `${i}.safetensors`));
process.stdout.write(JSON.stringify(bits));
