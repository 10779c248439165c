// A visitor: headless Chromium on the built page, which complains of any error and of any request beyond its own folder.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from "playwright-core";
import { serve } from "../serve.mjs";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Root in a container has no sandbox of its own; the rest keeps a browser from calling home. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--enable-precise-memory-info",
  "--js-flags=--expose-gc",
];

/** The page's folder; tests run from build/. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface Town {
  visit(fragment?: string, options?: BrowserContextOptions, before?: (page: Page) => Promise<unknown>): Promise<Visit>;
  close(): Promise<void>;
}

export async function openTown(): Promise<Town> {
  const server = await serve(`${ROOT}dist`, 0);
  const address = server.address();
  assert(address && typeof address === "object");
  const origin = `http://localhost:${address.port}/`;
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  return {
    visit: (fragment = "", options = {}, before) => visit(browser, origin, fragment, options, before),
    close: async () => {
      await browser.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function visit(
  browser: Browser,
  origin: string,
  fragment: string,
  options: BrowserContextOptions,
  before?: (page: Page) => Promise<unknown>,
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  const visitor = new Visit(page, origin);
  await before?.(page);
  await page.goto(origin + fragment);
  return visitor;
}

export class Visit {
  readonly problems: string[] = [];

  constructor(
    readonly page: Page,
    readonly origin: string,
  ) {
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.problems.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.problems.push(`thrown: ${error.message}`));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith("blob:") && !url.startsWith("data:")) {
        this.problems.push(`fetched from elsewhere: ${url}`);
      }
    });
  }

  /** Ends the visit; fails on anything that went wrong unseen. */
  async leave(): Promise<void> {
    assert.deepEqual(this.problems, []);
    await this.page.context().close();
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", { name, exact: typeof name === "string" });
  }

  party(id: string): Locator {
    return this.page.locator(`.card[data-party="${id}"]`);
  }

  async tab(name: string): Promise<void> {
    await this.page.getByRole("tab", { name, exact: true }).click();
  }

  /** As fast as it goes, as a user would ask for it. */
  async hurry(slider = 4): Promise<void> {
    const follow = this.page.getByRole("switch", { name: /Follow/ });
    if (await follow.isChecked()) await follow.click();
    await this.page.getByRole("slider", { name: "Speed" }).fill(String(slider));
  }

  async pause(): Promise<void> {
    await this.button("Pause").click();
  }

  async play(): Promise<void> {
    await this.button("Play").click();
  }

  /** The virtual clock, in milliseconds. */
  async now(): Promise<number> {
    return clockMs((await this.page.locator(".clock").textContent()) ?? "");
  }

  async untilClock(ms: number): Promise<void> {
    await this.page.waitForFunction(
      ([selector, goal]) => {
        const text = document.querySelector(selector)?.textContent ?? "";
        const [days, time] = text.includes(" d ") ? text.split(" d ") : ["0", text];
        const [hours = 0, minutes = 0, seconds = 0] = (time ?? "").split(":").map(Number);
        return (((Number(days) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 >= goal;
      },
      [".clock", ms] as const,
      { timeout: 60_000 },
    );
  }

  /** Waits until a place shows a text. */
  async shows(place: Locator, text: string | RegExp, timeout = 30_000): Promise<void> {
    await place.filter({ hasText: text }).first().waitFor({ timeout });
  }

  async count(name: string): Promise<number> {
    return Number(((await this.page.locator(`.count-${name} b`).textContent()) ?? "").replaceAll(",", ""));
  }

  /** The column of a party in the table of facts: fact → learned or not; once it has learned the fact `once`, if one is given. */
  async learned(party: string, once = ""): Promise<Map<string, boolean>> {
    await this.tab("Learned");
    const column = await this.page.waitForFunction(
      ([wanted, once]) => {
        const heads = [...document.querySelectorAll<HTMLElement>(".facts thead th")];
        const column = heads.findIndex((head) => head.querySelector("button")?.dataset["column"] === wanted);
        const rows = [...document.querySelectorAll(".facts tbody tr")].map(
          (row) => [row.children[0]?.textContent ?? "", row.children[column]?.textContent === "learned"] as const,
        );
        return once === "" || rows.some(([fact, known]) => known && fact.includes(once)) ? rows : undefined;
      },
      [party, once] as const,
      { timeout: 30_000 },
    );
    return new Map(await column.jsonValue());
  }

  /** All laws hold, and the strip that says so is on screen. */
  async lawsHold(): Promise<void> {
    const strip = this.page.locator(".strip");
    assert.equal(await strip.getAttribute("data-holds"), "true", (await strip.textContent()) ?? "");
    const box = await strip.boundingBox();
    const size = this.page.viewportSize();
    assert(box && size && box.y >= 0 && box.y + box.height <= size.height + 1, "the strip is on screen");
  }
}

export function clockMs(text: string): number {
  const [days, time] = text.includes(" d ") ? text.split(" d ") : ["0", text];
  const [hours = 0, minutes = 0, seconds = 0] = (time ?? "").split(":").map(Number);
  return Math.round((((Number(days) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000);
}
