// Links and traces that are wrong, and browsers that cannot: a sentence, and a fresh town where there can be one.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openTown, ROOT, type Town, type Visit } from "./browser.js";

let town: Town;
before(async () => {
  town = await openTown();
});
after(() => town.close());

/** The page says `sentence`, and a town is there and runs. */
async function isFresh(visit: Visit, sentence: RegExp): Promise<void> {
  await visit.shows(visit.page.locator("#problem-text"), sentence);
  assert.match((await visit.page.locator("#problem-text").textContent()) ?? "", /\. Here is a fresh town in its place\.$/);
  await visit.party("subscriber").waitFor();
  await visit.page.waitForFunction(() => !/^00:00:00\.000$/.test(document.querySelector(".clock")?.textContent ?? ""));
  await visit.button("Dismiss").click();
  await visit.page.locator("#problem").waitFor({ state: "hidden" });
}

for (const [fragment, sentence] of [
  ["#seed=many", /seed in this link is none.*whole number/],
  ["#seed=18446744073709551616", /seed in this link is none/],
  ["#seed=1&shape=round", /shape=“round”, which is none of split, single/],
  ["#seed=1&sealed=perhaps", /sealed=“perhaps”/],
  ["#seed=1&policy=", /policy=“”/],
  ["#seed=1&network=avian", /network=“avian”/],
  ["#seed=1&scenario=apocalypse", /scenario that this page does not have: “apocalypse”/],
  ["#seed=1&colour=red", /field that no run has: “colour”/],
  ["#seed=1&run=%%%", /recorded run in this link is damaged/],
  ["#seed=1&run=bm90IGEgdHJhY2U", /./],
  ["#seed=1&shape=single&sealed=true", /sealed/],
] as const) {
  test(`a link that is wrong: ${fragment}`, async () => {
    const visit = await town.visit(fragment);
    await isFresh(visit, sentence);
    await visit.leave();
  });
}

test("a link edited by hand while the page is open", async () => {
  const visit = await town.visit("#seed=4");
  await visit.party("subscriber").waitFor();
  await visit.page.evaluate(() => {
    location.hash = "#seed=x";
  });
  await isFresh(visit, /seed in this link is none/);
  await visit.leave();
});

test("files that are no traces", async () => {
  mkdirSync(`${ROOT}build`, { recursive: true });
  const visit = await town.visit("#seed=4");
  await visit.tab("Run");
  for (const [name, bytes] of [
    ["empty.trace", Buffer.alloc(0)],
    ["words.trace", Buffer.from("Dear diary, today I was a trace.")],
    ["noise.trace", Buffer.from(Array.from({ length: 4000 }, (_, index) => (index * 73 + 41) % 256))],
  ] as const) {
    const path = `${ROOT}build/${name}`;
    writeFileSync(path, bytes);
    await visit.page.locator("#trace-file").setInputFiles(path);
    await isFresh(visit, /./);
  }
  await visit.leave();
});

test("a trace cut short, and one with a flipped byte", async () => {
  const visit = await town.visit("#seed=4");
  await visit.tab("Run");
  const download = visit.page.waitForEvent("download");
  await visit.button("Download trace").click();
  const stream = await (await download).createReadStream();
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  const whole = Buffer.concat(chunks);
  const flipped = Buffer.from(whole);
  flipped[0] = (flipped[0] ?? 0) ^ 0xff;
  for (const [name, bytes] of [
    ["short.trace", whole.subarray(0, whole.length - 1)],
    ["flipped.trace", flipped],
  ] as const) {
    const path = `${ROOT}build/${name}`;
    writeFileSync(path, bytes);
    await visit.page.locator("#trace-file").setInputFiles(path);
    await isFresh(visit, /./);
  }
  await visit.leave();
});

test("a browser without WebAssembly gets a sentence", async () => {
  const visit = await town.visit("", {}, (page) => page.addInitScript("delete globalThis.WebAssembly"));
  await visit.shows(visit.page.locator("#failure"), /no WebAssembly.*nothing can run here\./);
  await visit.leave();
});

for (const [lack, script] of [
  ["vectors in WebAssembly", "WebAssembly.validate = () => false"],
  ["colours for two schemes", "CSS.supports = () => false"],
] as const) {
  test(`a browser without ${lack} gets a sentence`, async () => {
    const visit = await town.visit("", {}, (page) => page.addInitScript(script));
    await visit.shows(visit.page.locator("#failure"), /too old.*nothing can run here\..*Safari since 17\.5\./);
    await visit.leave();
  });
}

test("a missing wasm file gets a sentence", async () => {
  const visit = await town.visit("", {}, (page) => page.route("**/ntf.wasm", (route) => route.fulfill({ status: 404, body: "" })));
  await visit.shows(visit.page.locator("#failure"), /could not be loaded from ntf\.wasm/);
  // The browser itself complains of the 404, as it should.
  visit.problems.length = 0;
  await visit.leave();
});

test("a browser without JavaScript gets a sentence", async () => {
  const visit = await town.visit("", { javaScriptEnabled: false });
  await visit.shows(visit.page.locator(".no-script"), "needs JavaScript and WebAssembly");
  await visit.leave();
});

test("the page works without any network once it is there", async () => {
  const visit = await town.visit("#seed=4");
  await visit.party("subscriber").waitFor();
  await visit.page.context().setOffline(true);
  await visit.hurry(3);
  await visit.untilClock(600_000);
  await visit.lawsHold();
  await visit.leave();
});
