// Each control, pressed as a visitor would, and what is to be seen of it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openTown, ROOT, type Town, type Visit } from "./browser.js";

let town: Town;
before(async () => {
  town = await openTown();
});
after(() => town.close());

/** A town that is past its registrations, and paused. */
async function settled(fragment = "#seed=5"): Promise<Visit> {
  const visit = await town.visit(fragment);
  await visit.hurry(2.5);
  await visit.untilClock(25_000);
  await visit.pause();
  return visit;
}

async function write(visit: Visit, phone: string, text: string): Promise<void> {
  await visit.page.getByRole("combobox", { name: "To", exact: true }).selectOption(phone);
  await visit.page.getByLabel("Message", { exact: true }).fill(text);
  await visit.button("Send").click();
}

/** Chooses the option that has one of these names. */
async function choose(visit: Visit, field: string, names: string[]): Promise<void> {
  const select = visit.page.getByRole("combobox", { name: field, exact: true });
  const options = await select.locator("option").allTextContents();
  const found = options.find((option) => names.some((name) => option.startsWith(name)));
  assert(found, `${names.join(" or ")} is among ${options.join(", ")}`);
  await select.selectOption({ label: found });
}

async function message(visit: Visit, text: string, state: RegExp | string): Promise<void> {
  await visit.tab("Messages");
  await visit.shows(visit.page.locator(".message").filter({ hasText: text }).locator(".state"), state);
}

test("type a message and send it: it travels and is read", async () => {
  const visit = await settled();
  await write(visit, "deviceB", "Greetings to B");
  await visit.hurry(2);
  await visit.play();
  await message(visit, "Greetings to B", "read");
  assert.equal(await visit.count("sent"), 1);
  await visit.tab("Events");
  for (const name of ["SEND", "NMSG", "GET"]) await visit.shows(visit.page.locator(".event-envelope b"), name);
  await visit.leave();
});

test("an empty and a too long message get a sentence", async () => {
  const visit = await settled();
  await visit.button("Send").click();
  await visit.shows(visit.page.locator(".transport .problem"), "Write something first.");
  await write(visit, "deviceA", "é".repeat(101));
  await visit.shows(visit.page.locator(".transport .problem"), "at most 200 bytes; this one has 202");
  assert.equal(await visit.count("sent"), 0);
  await visit.leave();
});

test("autoplay sends by itself, and stops", async () => {
  const visit = await settled();
  await visit.button("Autoplay").click();
  await visit.hurry(3.5);
  await visit.page.waitForFunction(() => Number(document.querySelector(".count-sent b")?.textContent?.replaceAll(",", "")) >= 5);
  await visit.button("Autoplay").click();
  assert.equal(await visit.button("Autoplay").getAttribute("aria-pressed"), "false");
  const sent = await visit.count("sent");
  const until = (await visit.now()) + 3_600_000;
  await visit.untilClock(until);
  assert.equal(await visit.count("sent"), sent);
  await visit.lawsHold();
  await visit.leave();
});

test("pause stops the clock, a step moves it by one event", async () => {
  const visit = await settled();
  const at = await visit.now();
  const frames = (): Promise<void> =>
    visit.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))));
  await frames();
  assert.equal(await visit.now(), at, "paused");
  await write(visit, "deviceA", "Step by step");
  await visit.tab("Events");
  const newest = await visit.page.locator(".event").first().textContent();
  await visit.button("Step one event").click();
  await visit.page.waitForFunction((before) => document.querySelector(".event")?.textContent !== before, newest);
  assert.equal(await visit.button("Play").count(), 1, "a step pauses");
  await visit.leave();
});

test("speed goes from 1× to 10,000×", async () => {
  const visit = await settled();
  const slider = visit.page.getByRole("slider", { name: "Speed" });
  await slider.focus();
  await slider.press("Home");
  await visit.shows(visit.page.locator(".speed-text"), /^1×$/);
  await slider.press("End");
  await visit.shows(visit.page.locator(".speed-text"), /^10,000×$/);
  const from = await visit.now();
  await visit.play();
  await visit.untilClock(from + 60_000);
  await visit.leave();
});

test("following slows down for an envelope", async () => {
  const visit = await settled();
  await write(visit, "deviceA", "Watch me");
  await visit.page.getByRole("switch", { name: /Follow/ }).click();
  await visit.play();
  await visit.shows(visit.page.locator(".rate"), /now 1\/\d+×/);
  await visit.page.locator('.envelope[visibility="visible"] .envelope-name').filter({ hasText: "SEND" }).waitFor();
  await visit.leave();
});

test("a click on an envelope shows its bytes", async () => {
  const visit = await settled();
  await write(visit, "deviceA", "Look inside");
  await visit.page.getByRole("switch", { name: /Follow/ }).click();
  await visit.play();
  const envelope = visit.page.locator('.envelope[visibility="visible"]').filter({ hasText: "SEND" });
  await envelope.waitFor();
  await visit.pause();
  await envelope.locator(".envelope-paper").click();
  await visit.shows(visit.page.locator(".inspector h2"), "SEND");
  await visit.page.locator(".inspector .hex").first().waitFor();
  await visit.leave();
});

test("a click on a party shows what it has; Escape puts it away", async () => {
  const visit = await settled();
  await visit.party("push").click();
  await visit.shows(visit.page.locator(".inspector h2"), /push server/i);
  assert.equal(await visit.party("push").getAttribute("aria-pressed"), "true");
  await visit.page.keyboard.press("Escape");
  await visit.shows(visit.page.locator(".inspector .empty"), "Select a party or an envelope");
  await visit.leave();
});

test("a fact says why it is one, and who learned it where", async () => {
  const visit = await settled();
  await visit.tab("Learned");
  await visit.page.locator(".facts th[scope=row] button").first().click();
  await visit.page.locator(".fact-why p").waitFor();
  await visit.leave();
});

for (const [party, name] of [
  ["subscriber", "Subscriber"],
  ["push", "Push server"],
  ["smp1", "SMP 1"],
  ["smp2", "SMP 2"],
] as const) {
  test(`kill and start: ${name}`, async () => {
    const visit = await settled();
    await visit.tab("Break it");
    await visit.button(`Kill ${name}`).click();
    await visit.shows(visit.page.locator(".break .deed-status"), "killed");
    await visit.shows(visit.party(party).locator(".card-line"), "down");
    await visit.button(`Start ${name}`).click();
    await visit.page.locator(`.card[data-party="${party}"]:not(.is-down)`).waitFor();
    await visit.hurry(4);
    await visit.play();
    await visit.untilClock((await visit.now()) + 3_600_000);
    await visit.lawsHold();
    await visit.leave();
  });
}

test("cut a link, mend it: the message waits and then arrives", async () => {
  const visit = await settled();
  await visit.tab("Break it");
  await choose(visit, "Link", ["Push server – Apple", "Apple – Push server"]);
  await visit.button("Cut").click();
  await visit.page.locator(".link.is-cut").waitFor();
  await write(visit, "deviceA", "Through the gap");
  await visit.hurry(2);
  await visit.play();
  await visit.untilClock((await visit.now()) + 20_000);
  await visit.tab("Messages");
  const state = await visit.page.locator(".message .state").first().textContent();
  assert.notEqual(state, "read");
  await visit.lawsHold();
  await visit.tab("Break it");
  await visit.button("Mend").click();
  await visit.page.waitForFunction(() => !document.querySelector(".link.is-cut"));
  await visit.hurry(4);
  await message(visit, "Through the gap", /read|shown/);
  await visit.leave();
});

test("slow a link, and let it be as fast as before", async () => {
  const visit = await settled();
  await visit.tab("Break it");
  await visit.page.getByRole("combobox", { name: "Delay", exact: true }).selectOption("2000");
  await visit.button("Slow down").click();
  await visit.page.locator(".link.is-slow").waitFor();
  await visit.button("Normal").click();
  await visit.page.waitForFunction(() => !document.querySelector(".link.is-slow"));
  await visit.leave();
});

test("a click on a link in the picture chooses it", async () => {
  const visit = await settled();
  const middle = await visit.page.locator(".link .line").first().evaluate((line) => {
    const path = line as SVGPathElement;
    const point = path.getPointAtLength(path.getTotalLength() / 2);
    const surface = path.ownerSVGElement?.getBoundingClientRect();
    return { x: point.x + (surface?.x ?? 0), y: point.y + (surface?.y ?? 0) };
  });
  await visit.page.mouse.click(middle.x, middle.y);
  await visit.page.locator("#link-select:focus").waitFor();
  await visit.leave();
});

test("Apple loses pushes: the message is not read until the phone looks", async () => {
  const visit = await settled();
  await visit.tab("Break it");
  const drop = visit.page.getByRole("switch", { name: /Apple loses/ });
  await drop.click();
  await visit.shows(visit.page.locator(".break .deed-status"), "loses them");
  await write(visit, "deviceA", "Into the void");
  await visit.hurry(2);
  await visit.play();
  await visit.tab("Events");
  await visit.shows(visit.page.locator(".event"), "Apple has lost a push for iPhone A");
  await visit.tab("Break it");
  await drop.click();
  await visit.button("Open the app").click();
  await visit.hurry(3);
  await message(visit, "Into the void", "read");
  await visit.lawsHold();
  await visit.leave();
});

test("Apple refuses a token: the phone gets another one and messages arrive again", async () => {
  const visit = await settled();
  await visit.tab("Break it");
  await visit.button("Refuse its token").click();
  await visit.shows(visit.page.locator(".break .deed-status"), "410");
  await write(visit, "deviceA", "Who are you?");
  await visit.hurry(2);
  await visit.play();
  await visit.tab("Events");
  await visit.shows(visit.page.locator(".event"), "iPhone A has another device token.");
  await visit.shows(visit.page.locator(".event"), "iPhone A is registered: a push has proved its token.");
  await message(visit, "Who are you?", "excused");
  await visit.shows(visit.page.locator(".message .why"), "The phone had no valid token.");
  await visit.hurry(4);
  await visit.untilClock(20 * 60_000);
  await visit.hurry(2);
  await write(visit, "deviceA", "There you are.");
  await message(visit, "There you are.", "read");
  await visit.lawsHold();
  await visit.leave();
});

test("exceeding the budget shows an alert, and the budget says so", async () => {
  const visit = await settled("#seed=5&policy=hidden-then-visible");
  await visit.tab("Break it");
  await visit.button("Exceed the budget").click();
  await visit.hurry(3);
  await visit.play();
  await visit.page.waitForFunction(() => [...document.querySelectorAll(".meters li")].some((row) => row.textContent?.includes("0 of")));
  await message(visit, "flood", "shown");
  await visit.shows(visit.party("deviceA").locator(".card-notice"), /./);
  await visit.lawsHold();
  await visit.leave();
});

test("a hostile client hammers, and the town lives on", async () => {
  const visit = await settled();
  await visit.tab("Break it");
  await visit.page.getByRole("switch", { name: /hostile/i }).click();
  await visit.party("stranger").waitFor();
  await write(visit, "deviceA", "Undisturbed");
  await visit.hurry(2);
  await visit.play();
  await message(visit, "Undisturbed", "read");
  await visit.lawsHold();
  await visit.leave();
});

test("another network, told in the status", async () => {
  const visit = await settled();
  await visit.tab("Break it");
  await visit.page.getByRole("switch", { name: /carrier/ }).click();
  await visit.shows(visit.page.locator(".break .deed-status"), "carrier");
  await visit.leave();
});

test("the laws open to whole sentences", async () => {
  const visit = await settled();
  await visit.page.locator(".verdict").click();
  await visit.page.locator(".laws.is-open .law-text").first().waitFor();
  await visit.lawsHold();
  await visit.leave();
});

test("a seed of one's own, another at random, and options: all in the address", async () => {
  const visit = await settled();
  await visit.tab("Run");
  await visit.page.getByLabel("Seed", { exact: true }).fill("18446744073709551615");
  await visit.page.getByRole("combobox", { name: "Pushes", exact: true }).selectOption("visible-only");
  await visit.button("Start this run").click();
  await visit.page.waitForURL(/seed=18446744073709551615.*policy=visible-only/);
  await visit.button("New seed").click();
  await visit.page.waitForURL((url) => !url.hash.includes("18446744073709551615"));
  await visit.page.getByLabel("Seed", { exact: true }).fill("-1");
  await visit.button("Start this run").click();
  await visit.shows(visit.page.locator("#seed-problem"), "whole number from 0 to 18446744073709551615");
  await visit.leave();
});

interface End {
  clock: string;
  hash: string;
}

/** Steps through a run on a paused page, and tells where that led. */
async function walk(visit: Visit, steps: number): Promise<End> {
  await visit.tab("Run");
  for (let step = 0; step < steps; step += 1) await visit.page.keyboard.press(".");
  const hash = (await visit.page.locator(".hash").textContent()) ?? "";
  return { clock: (await visit.page.locator(".clock").textContent()) ?? "", hash };
}

test("a link replays the same run, a different seed another", async () => {
  const still = { reducedMotion: "reduce" } as const;
  const ends: End[] = [];
  for (const seed of [11, 11, 12]) {
    const visit = await town.visit(`#seed=${seed}&scenario=locked-phone`, still);
    ends.push(await walk(visit, 60));
    await visit.leave();
  }
  assert.deepEqual(ends[0], ends[1]);
  assert.notDeepEqual(ends[0], ends[2]);
});

test("what the reader did is in the link and in the trace, and both replay it", async () => {
  const first = await settled("#seed=21");
  await write(first, "deviceA", "For the record");
  await first.hurry(2);
  await first.play();
  await message(first, "For the record", "read");
  await first.tab("Run");
  const download = first.page.waitForEvent("download");
  await first.button("Download trace").click();
  const saved = await download;
  assert.equal(saved.suggestedFilename(), "ntf-21.trace");
  const path = `${ROOT}build/ntf-21.trace`;
  await saved.saveAs(path);
  assert(readFileSync(path).length > 20);
  const fragment = new URL(first.page.url()).hash;
  assert.match(fragment, /run=/);
  await first.leave();

  const byLink = await town.visit(fragment);
  await byLink.hurry(2.5);
  await message(byLink, "For the record", "read");
  await byLink.leave();

  const byFile = await town.visit("#seed=1");
  await byFile.tab("Run");
  await byFile.page.locator("#trace-file").setInputFiles(path);
  await byFile.page.waitForURL(/seed=21/);
  await byFile.hurry(2.5);
  await message(byFile, "For the record", "read");
  await byFile.leave();
});

test("copying the link says so", async () => {
  const visit = await town.visit("#seed=3", { permissions: ["clipboard-read", "clipboard-write"] });
  await visit.tab("Run");
  await visit.button("Copy link").click();
  await visit.shows(visit.page.locator(".options .deed-status"), "The link is copied");
  assert.equal(await visit.page.evaluate(() => navigator.clipboard.readText()), visit.page.url());
  await visit.leave();
});

test("light and dark are one press apart", async () => {
  const visit = await town.visit("#seed=3");
  const ground = (): Promise<string> => visit.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await visit.button("Use dark colours").click();
  assert.notEqual(await ground(), light);
  await visit.button("Use light colours").click();
  assert.equal(await ground(), light);
  await visit.leave();
});

