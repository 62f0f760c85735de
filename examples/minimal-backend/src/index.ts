/** What a backend package exports: a function that makes the backend, also as the default for `--backend PATH`. */
export { minimal, minimal as default } from "./backend.ts";
