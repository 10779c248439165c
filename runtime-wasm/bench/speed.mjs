// How fast the stage plays as WebAssembly; the twin of ntf-core/examples/stage_speed.rs.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, hours] = [resolve(process.argv[2] ?? "pkg"), Number(process.argv[3] ?? 8)];
const { initSync, Stage } = await import(pathToFileURL(`${folder}/ntf_runtime_wasm.js`).href);
initSync({ module: readFileSync(`${folder}/ntf_runtime_wasm_bg.wasm`) });

/** Seconds for which a processor has run this thread, where Linux counts them; elsewhere the clock has to do. */
const busy = () => {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e9;
  } catch {
    return performance.now() / 1000;
  }
};

const stage = new Stage({ seed: "1", shape: "split", policy: "mutable", sealed: false, network: "wifi" });
const goOn = (until) => {
  while (stage.now() < until) stage.run(until, 100);
};
goOn(120_000);
stage.act({ do: "autoplay", on: true });
const [began, busyBefore, before] = [performance.now(), busy(), stage.steps()];
goOn(hours * 3_600_000);
const [seconds, busyFor] = [(performance.now() - began) / 1000, busy() - busyBefore];
console.log(JSON.stringify({ steps: stage.steps() - before, seconds, busy: busyFor, hash: stage.trace_hash() }));
