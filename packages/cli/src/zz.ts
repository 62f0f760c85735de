import { manualSeed, useBackend, explain, compile } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { adamW } from "@thalweg/core/optim";
import { crossEntropy } from "@thalweg/nn";
import { fit, generateDigits, splitLastFifth, standardize, Loader } from "@thalweg/train";
import { makeModel } from "./models.ts";
useBackend(referenceBackend());
manualSeed(0);
const model = makeModel(process.argv[2] as "mlp");
const optimizer = adamW(model.parameters(), { lr: 1e-3 });
const data = standardize(splitLastFifth(generateDigits({ count: +process.argv[3]! })));
for await (const { images, labels } of new Loader(data.train, { batchSize: 64 })) { const t = performance.now(); console.log(String(explain((x: any, y: any) => optimizer.minimize(crossEntropy(model(x), y)), images, labels))); console.log(performance.now()-t); break; }
if (process.argv[4]) await fit(model, optimizer, { data, loss: crossEntropy, epochs: 2, batchSize: 16, onStep: (s) => console.log(s), onEpoch: (r) => console.log(r) });
