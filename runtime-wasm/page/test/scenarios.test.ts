// Each scenario, started with one click, and what a visitor then sees.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openTown, type Town, type Visit } from "./browser.js";

let town: Town;
before(async () => {
  town = await openTown();
});
after(() => town.close());

/** Starts a scenario by its name in the row, and lets it pass quickly. */
async function begin(visit: Visit, short: string, speed = 2.8): Promise<void> {
  await visit.page.getByRole("navigation", { name: "Scenarios" }).getByRole("button", { name: short, exact: false }).click();
  const sentences = await visit.page.locator(".story-text > span").allTextContents();
  assert.equal(sentences.length, 3, "three sentences tell what to look at");
  assert(sentences.every((sentence) => sentence.trim().endsWith(".")));
  await visit.hurry(speed);
}

async function messageIs(visit: Visit, text: string, state: string | RegExp): Promise<void> {
  await visit.tab("Messages");
  await visit.shows(visit.page.locator(".message").filter({ hasText: text }).locator(".state"), state);
}

/** What a party of this run has learned, once the fact `until` is among it. */
async function factsOf(visit: Visit, party: string, until = ""): Promise<(part: string) => boolean> {
  const learned = await visit.learned(party, until);
  return (part) => {
    const rows = [...learned].filter(([fact]) => fact.includes(part));
    assert(rows.length > 0, `there is a fact about “${part}” among ${[...learned.keys()].join("; ")}`);
    return rows.some(([, known]) => known);
  };
}

test("first registration: tokens are proved and queues are watched", async () => {
  const visit = await town.visit();
  await begin(visit, "Registration", 0);
  await visit.tab("Events");
  for (const name of ["TNEW", "TVFY", "SNEW"]) await visit.shows(visit.page.locator(".event-envelope b"), name);
  await visit.untilClock(1_000);
  await visit.shows(visit.page.locator(".event"), "iPhone A is registered: a push has proved its token.");
  await factsOf(visit, "subscriber", "device token");
  await visit.lawsHold();
  await visit.leave();
});

test("message to a locked phone: it is shown there, and Apple saw ciphertext", async () => {
  const visit = await town.visit();
  await begin(visit, "Locked phone");
  await visit.shows(visit.party("deviceA").locator(".card-notice"), /./);
  await messageIs(visit, "Dinner at eight?", "read");
  const apple = await factsOf(visit, "apple");
  assert(!apple("message says"));
  await visit.page.locator(".facts thead").getByRole("button", { name: "Apple" }).click();
  await visit.shows(visit.page.locator(".inspector h2"), /Apple/);
  await visit.page.locator(".inspector .hex.is-sealed").first().waitFor();
  await visit.lawsHold();
  await visit.leave();
});

test("budget and fallback: a flood ends in one visible alert", async () => {
  const visit = await town.visit();
  await begin(visit, "Budget");
  await visit.untilClock(60_000);
  await visit.shows(visit.party("deviceA").locator(".card-notice"), /./);
  await visit.untilClock(30 * 60_000);
  assert.equal(await visit.count("lost"), 0);
  await visit.lawsHold();
  await visit.leave();
});

test("restart and recovery: phones register again and the message arrives", async () => {
  // Without motion a scenario waits for “Play”, and nothing is missed.
  const visit = await town.visit("", { reducedMotion: "reduce" });
  await begin(visit, "Restart", 1.3);
  await visit.play();
  await visit.shows(visit.party("subscriber").locator(".card-line"), "down");
  await visit.hurry(4);
  await messageIs(visit, "Are you there?", /read|shown/);
  await visit.lawsHold();
  await visit.leave();
});

test("split versus single server: one press compares them", async () => {
  const visit = await town.visit();
  await begin(visit, "Split or single");
  await visit.untilClock(60_000);
  await factsOf(visit, "subscriber", "device token");
  await visit.button("Show it split").click();
  assert.match(visit.page.url(), /shape=split/);
  await visit.hurry(2.8);
  await visit.untilClock(60_000);
  const split = await factsOf(visit, "push", "device token");
  assert(!split("SMP servers"));
  await visit.button("Show it as one server").click();
  assert.match(visit.page.url(), /shape=single/);
  await visit.lawsHold();
  await visit.leave();
});

test("sealed token: the subscriber does not learn it, the push server does", async () => {
  const visit = await town.visit();
  await begin(visit, "Sealed token");
  await messageIs(visit, "Sealed and delivered.", "read");
  const subscriber = await factsOf(visit, "subscriber");
  await factsOf(visit, "push", "device token");
  assert(!subscriber("device token"));
  await visit.lawsHold();
  await visit.leave();
});

test("Android direct mode: a message comes without any push", async () => {
  const visit = await town.visit();
  await begin(visit, "Android direct");
  await messageIs(visit, "Straight to you.", "read");
  await visit.tab("Break it");
  await visit.shows(visit.page.locator(".meters li"), /wake-ups an hour/);
  await visit.lawsHold();
  await visit.leave();
});

test("carrier NAT: the message after a quiet hour finds its way", async () => {
  const visit = await town.visit();
  await begin(visit, "Carrier NAT");
  await visit.hurry(4);
  await messageIs(visit, "Still with me?", "read");
  await visit.lawsHold();
  await visit.leave();
});
