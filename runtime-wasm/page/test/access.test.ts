// For everybody: axe-core, the keyboard alone, no motion, and small screens.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { AxeResults } from "axe-core";
import { openTown, ROOT, type Town, type Visit } from "./browser.js";

const AXE = readFileSync(`${ROOT}node_modules/axe-core/axe.min.js`, "utf8");

let town: Town;
before(async () => {
  town = await openTown();
});
after(() => town.close());

async function violations(visit: Visit): Promise<string[]> {
  await visit.page.evaluate(AXE);
  const results = await visit.page.evaluate(() => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run());
  assert(results.passes.length > 20, "axe looked at the page");
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const [size, viewport] of [
    ["laptop", { width: 1440, height: 900 }],
    ["phone", { width: 390, height: 844 }],
  ] as const) {
    test(`axe finds nothing: ${size}, ${colorScheme}`, async () => {
      const visit = await town.visit("#seed=9&scenario=locked-phone", { colorScheme, viewport });
      await visit.hurry(2.2);
      await visit.untilClock(45_000);
      await visit.pause();
      const found: string[] = [];
      for (const tab of ["Learned", "Bytes", "Messages", "Events", "Break it", "Run"]) {
        await visit.tab(tab);
        found.push(...(await violations(visit)).map((each) => `${tab}: ${each}`));
      }
      await visit.tab("Break it");
      await visit.button("Kill Subscriber").click();
      await visit.button("Cut").click();
      await visit.page.locator(".verdict").click();
      found.push(...(await violations(visit)).map((each) => `broken: ${each}`));
      assert.deepEqual(found, []);
      await visit.leave();
    });
  }
}

test("the keyboard alone: play, step, speed, scenarios, tabs, parties, sending", async () => {
  const visit = await town.visit("#seed=9", { reducedMotion: "reduce" });
  const press = (key: string): Promise<void> => visit.page.keyboard.press(key);
  await visit.button("Play").waitFor();
  await press(" ");
  await visit.button("Pause").waitFor();
  await press(" ");
  await visit.button("Play").waitFor();
  const speed = await visit.page.locator(".speed-text").textContent();
  await press("]");
  assert.notEqual(await visit.page.locator(".speed-text").textContent(), speed);
  await press("2");
  await visit.shows(visit.page.locator(".story-title"), "Message to a locked phone");
  await press(" ");
  await visit.untilClock(25_000);
  await press(" ");
  await visit.page.getByRole("tab", { name: "Learned" }).focus();
  await press("ArrowRight");
  assert.equal(await visit.page.getByRole("tab", { name: "Bytes" }).getAttribute("aria-selected"), "true");
  await visit.party("smp1").focus();
  await press("Enter");
  await visit.shows(visit.page.locator(".inspector h2"), /SMP server 1/);
  await visit.page.getByLabel("Message", { exact: true }).focus();
  await visit.page.keyboard.type("2 keys");
  await press("Enter");
  await visit.tab("Messages");
  await visit.shows(visit.page.locator(".message-text"), "2 keys");
  await visit.shows(visit.page.locator(".story-title"), "Message to a locked phone");
  await visit.leave();
});

test("whoever wants no motion starts paused and sees envelopes stand", async () => {
  const visit = await town.visit("#seed=9&scenario=first-registration", { reducedMotion: "reduce" });
  await visit.button("Play").click();
  const envelope = visit.page.locator('.envelope[visibility="visible"]').first();
  await envelope.waitFor();
  const moved = await visit.page.evaluate(
    () =>
      new Promise<boolean>((resolve) => {
        const places = new Map<Element, string>();
        let frames = 0;
        const look = (): void => {
          for (const node of document.querySelectorAll('.envelope[visibility="visible"]')) {
            const key = `${node.getAttribute("transform")}`;
            const name = node.textContent ?? "";
            const before = places.get(node);
            if (before !== undefined && before.startsWith(`${name}@`) && before !== `${name}@${key}`) resolve(true);
            places.set(node, `${name}@${key}`);
          }
          frames += 1;
          if (frames > 20) resolve(false);
          else requestAnimationFrame(look);
        };
        look();
      }),
  );
  assert.equal(moved, false);
  await visit.leave();
});

test("what happens is said to those who listen", async () => {
  const visit = await town.visit("#seed=9&scenario=locked-phone");
  await visit.hurry(2);
  await visit.page.waitForFunction(() => (document.querySelector("#said")?.textContent ?? "") !== "");
  await visit.leave();
});

for (const width of [320, 390, 768, 1024, 1440, 1920]) {
  test(`nothing sticks out sideways at ${width} pixels`, async () => {
    const visit = await town.visit("#seed=9", { viewport: { width, height: 800 } });
    await visit.party("subscriber").waitFor();
    const wide = await visit.page.evaluate(() => document.documentElement.scrollWidth);
    assert(wide <= width, `the page is ${wide} pixels wide`);
    await visit.lawsHold();
    await visit.leave();
  });
}
