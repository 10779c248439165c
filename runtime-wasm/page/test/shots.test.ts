// Pictures: three sizes in light and dark for people to look at, and the one of the README.

import assert from "node:assert/strict";
import { mkdirSync, statSync } from "node:fs";
import { after, before, test } from "node:test";
import { openTown, ROOT, type Town, type Visit } from "./browser.js";

const SIZES = { phone: [390, 844], laptop: [1440, 900], projector: [1920, 1080] } as const;
const README_PICTURE = `${ROOT}../../docs/page.png`;
const README_PICTURE_MAX = 300_000;

let town: Town;
before(async () => {
  mkdirSync(`${ROOT}shots`, { recursive: true });
  town = await openTown();
});
after(() => town.close());

/** Plays a scenario past its beginning until an envelope on this way is well on it, and pauses there. */
async function freeze(visit: Visit, way: string): Promise<void> {
  await visit.untilClock(30_000);
  const seen = await visit.page.evaluateHandle(() => new Map<Element, number>());
  await visit.page.waitForFunction(
    ([wanted, places]) =>
      [...document.querySelectorAll(`.envelope[visibility="visible"][data-way="${wanted}"]`)].some((node) => {
        const [x = 0, y = 0] = (node.getAttribute("transform") ?? "").match(/[\d.]+/g)?.map(Number) ?? [];
        if (!places.has(node)) places.set(node, x - y);
        return Math.abs(x - y - (places.get(node) ?? 0)) > 40;
      }),
    [way, seen] as const,
  );
  await visit.pause();
}

for (const [size, [width, height]] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`shots: ${size}, ${colorScheme}`, async () => {
      const visit = await town.visit("#seed=2022&scenario=locked-phone", { viewport: { width, height }, colorScheme });
      const shot = (what: string, fullPage = false): Promise<Buffer> =>
        visit.page.screenshot({ path: `${ROOT}shots/${size}-${colorScheme}-${what}.png`, fullPage });
      await freeze(visit, "apple deviceA");
      await shot("push");
      await visit.hurry(1.8);
      await visit.play();
      await visit.shows(visit.party("deviceA").locator(".card-notice"), /./);
      await visit.pause();
      for (const tab of ["Learned", "Bytes", "Messages", "Events", "Break it", "Run"]) {
        await visit.tab(tab);
        await shot(tab.toLowerCase().replace(" ", "-"), true);
      }
      await visit.leave();
    });
  }
}

test("the README's picture", async () => {
  const visit = await town.visit("#seed=2022&scenario=locked-phone", { viewport: { width: 1280, height: 800 }, colorScheme: "light" });
  await freeze(visit, "apple deviceA");
  await visit.page.screenshot({ path: README_PICTURE });
  const size = statSync(README_PICTURE).size;
  console.log(`docs/page.png: ${size} bytes`);
  assert(size < README_PICTURE_MAX);
  await visit.leave();
});
