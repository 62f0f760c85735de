/** What reads files, and so needs Node. */
export { loadCheckpoint, readSafetensors, saveCheckpoint, writeSafetensors } from "./checkpoint/files.ts";
export { type IdxImages, parseImages, parseLabels } from "./idx/idx.ts";
export { type MnistFolder, readMnist } from "./idx/mnist.ts";
