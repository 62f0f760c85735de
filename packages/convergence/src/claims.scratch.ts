import { useBackend } from "@thalweg/core";
import { cpu } from "@thalweg/cpu-js";
import { adagradBeatsSgd, momentumBeatsSgd } from "./claims.ts";
import { generateSparse, readNames } from "./sparseFeatures.ts";

useBackend(await cpu());
let t = performance.now();
console.log(await momentumBeatsSgd(), performance.now() - t);
t = performance.now();
console.log(await adagradBeatsSgd(await generateSparse(2000, 300)), performance.now() - t);
t = performance.now();
console.log(await adagradBeatsSgd(await readNames("/work/shared/data/text/names.txt", 8000)), performance.now() - t);
