// Brings in the machines: the WebAssembly module that lies beside the page.

import init, { Stage } from "../pkg/ntf_runtime_wasm.js";
import type { StageClass } from "./contract.js";

export const NO_WEBASSEMBLY =
  "This browser has no WebAssembly, or it is switched off; the machines in this page are WebAssembly, so nothing can run here.";

export interface Machines {
  stages: StageClass;
  /** Bytes of memory that WebAssembly has taken so far. */
  memory(): number;
}

/**
 * The machines.
 *
 * Throws an `Error` whose message is a sentence for the reader.
 */
export async function loadMachines(): Promise<Machines> {
  if (typeof WebAssembly !== "object" || typeof WebAssembly.instantiate !== "function") throw new Error(NO_WEBASSEMBLY);
  try {
    const { memory } = await init({ module_or_path: new URL("ntf.wasm", document.baseURI) });
    return { stages: Stage, memory: () => memory.buffer.byteLength };
  } catch (problem) {
    const detail = problem instanceof Error ? problem.message : String(problem);
    throw new Error(`The machines could not be loaded from ntf.wasm beside this page: ${detail}`);
  }
}
