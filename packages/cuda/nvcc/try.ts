import { representativeSamples } from "./representative.ts";
import { targetOf, textsOf } from "./texts.ts";
import { compileByNvcc, findNvcc, knownArchitectures } from "./nvcc.ts";
const nvcc = findNvcc() as string;
console.log(nvcc, knownArchitectures(nvcc));
let t=performance.now();
const samples = representativeSamples();
console.log("samples", samples.length, performance.now()-t); t=performance.now();
const names = new Map<string,string>();
for (const {name, precision, program} of samples) {
  const kinds = program.kernels.map(k=>k.kind).join();
  const texts = textsOf(program, targetOf(90, {precision, cublasLt:false}));
  console.log(name, "|", kinds, "|", texts.length, texts.map(t=>t.length).join());
  for (const t of texts) if (!names.has(t)) names.set(t, name);
}
console.log("texts", names.size, performance.now()-t);
const { kernels, warnings } = await compileByNvcc(nvcc, [...names.keys()], 90);
console.log("nvcc", performance.now()-t);
for (const k of kernels) console.log(k.registers, k.sharedBytes, k.stackBytes, k.spillStores, k.spillLoads, names.get(k.source));
console.log(warnings.length, warnings.slice(0,20));
