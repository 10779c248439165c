// How fast: the first frame, and a minute of autoplay at 1,000×. The two bounds are those that the page was given.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openTown, type Town } from "./browser.js";

const FRAME_MEDIAN_MAX_MS = 33;
const FIRST_FRAME_MAX_MS = 1000;
const MINUTE_MS = 60_000;

/** How much more of the heap may be in use after the second half than after the first. Ours: noise of the collector. */
const HEAP_GROWTH_MAX = 3_000_000;

/** And how much more memory WebAssembly may take, in megabytes. Ours: a few of its pages. */
const WASM_GROWTH_MAX = 0.3;

let town: Town;
before(async () => {
  town = await openTown();
});
after(() => town.close());

test("the first frame comes within a second of load", async () => {
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const visit = await town.visit("#seed=2");
    await visit.page.waitForFunction(() => performance.getEntriesByName("first-frame").length > 0);
    times.push(
      await visit.page.evaluate(() => {
        const load = performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming;
        return (performance.getEntriesByName("first-frame")[0]?.startTime ?? Infinity) - load.responseEnd;
      }),
    );
    await visit.leave();
  }
  console.log(`first frame after load: ${times.map((time) => time.toFixed(0)).join(", ")} ms`);
  assert(Math.min(...times) < FIRST_FRAME_MAX_MS);
});

test("a minute of autoplay at 1,000× keeps frames short and memory flat", async () => {
  const visit = await town.visit("#seed=2");
  await visit.hurry(3);
  await visit.button("Autoplay").click();
  await visit.tab("Run");
  const from = await visit.now();
  const measured = await visit.page.evaluate(
    (length) =>
      new Promise<{ frames: number[]; heaps: number[]; taken: string[] }>((resolve) => {
        const taken: string[] = [];
        const frames: number[] = [];
        const heaps: number[] = [];
        const heap = (): void => {
          (globalThis as unknown as { gc?(): void }).gc?.();
          heaps.push((performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize);
        };
        const wasm = (): void => {
          taken.push(document.querySelector(".memory")?.textContent ?? "");
        };
        const begun = performance.now();
        let last = begun;
        const frame = (now: number): void => {
          frames.push(now - last);
          last = now;
          if (heaps.length === 0 && now - begun > length / 2) {
            heap();
            wasm();
            last = performance.now();
          }
          if (now - begun < length) requestAnimationFrame(frame);
          else {
            heap();
            wasm();
            resolve({ frames, heaps, taken });
          }
        };
        requestAnimationFrame(frame);
      }),
    MINUTE_MS,
  );
  const sorted = measured.frames.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? NaN;
  const virtual = (await visit.now()) - from;
  const [half = NaN, whole = NaN] = measured.heaps;
  console.log(
    `${sorted.length} frames: median ${at(0.5).toFixed(1)} ms, 95th ${at(0.95).toFixed(1)} ms, 99th ${at(0.99).toFixed(1)} ms; ` +
      `virtual time ${(virtual / MINUTE_MS).toFixed(0)}× of real; heap ${(half / 1e6).toFixed(1)} MB at half, ${(whole / 1e6).toFixed(1)} MB at the end; ` +
      `WebAssembly ${measured.taken.join(", then ")}; ${await visit.count("sent")} messages`,
  );
  assert(at(0.5) < FRAME_MEDIAN_MAX_MS);
  assert(whole - half < HEAP_GROWTH_MAX);
  const [halfTaken, wholeTaken] = measured.taken.map(parseFloat);
  assert(halfTaken && wholeTaken && wholeTaken - halfTaken <= WASM_GROWTH_MAX, "the machines' memory is flat");
  assert((await visit.count("sent")) > 100, "the town chats");
  await visit.lawsHold();
  await visit.leave();
});
