// Brings in the machines: the WebAssembly module that lies beside the page.

import init, { Stage } from "../pkg/ntf_runtime_wasm.js";
import type { StageClass } from "./contract.js";

export const NO_WEBASSEMBLY =
  "This browser has no WebAssembly, or it is switched off; the machines in this page are WebAssembly, so nothing can run here.";

export const TOO_OLD =
  "This browser is too old for this page, whose machines need vectors (SIMD) in WebAssembly, and whose colours need light-dark(); so nothing can run here. Chrome has had both since version 123, Firefox since 120, Safari since 17.5.";

/** A module of one function that does no more than use a vector: `i8x16.popcnt` of `i8x16.splat` of 0. */
const VECTORS = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

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
  if (!WebAssembly.validate(VECTORS) || !CSS.supports("color", "light-dark(red, red)")) throw new Error(TOO_OLD);
  try {
    const { memory } = await init({ module_or_path: new URL("ntf.wasm", document.baseURI) });
    return { stages: Stage, memory: () => memory.buffer.byteLength };
  } catch (problem) {
    const detail = problem instanceof Error ? problem.message : String(problem);
    throw new Error(`The machines could not be loaded from ntf.wasm beside this page: ${detail}`);
  }
}
