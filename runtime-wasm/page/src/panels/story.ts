// The scenarios: one click each, three sentences each.

import { h, setAttribute, setText } from "../dom.js";
import type { Run } from "../run.js";
import { isCompared, SCENARIOS } from "../scenarios.js";

export class Story {
  readonly chips: HTMLElement;
  readonly caption: HTMLElement;
  private readonly title = h("h2", { class: "story-title" });
  private readonly text = h("p", { class: "story-text" });
  private readonly bar = h("i");
  private readonly compare: HTMLButtonElement;
  private readonly next: HTMLButtonElement;
  private following: string | null = null;
  private drawnProgress = -1;

  constructor(begin: (scenario: string) => void, compare: () => void) {
    this.chips = h(
      "nav",
      { class: "scenarios", "aria-label": "Scenarios" },
      h(
        "ol",
        {},
        ...SCENARIOS.map(({ id, title, short }, index) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", "data-scenario": id, title, on: { click: () => begin(id) } },
              h("span", { class: "scenario-number", "aria-hidden": "true" }, String(index + 1)),
              short,
            ),
          ),
        ),
      ),
    );
    this.compare = h("button", { type: "button", class: "compare", on: { click: compare } }, "");
    this.next = h("button", { type: "button", class: "quiet next" }, "");
    this.next.addEventListener("click", () => {
      if (this.following) begin(this.following);
    });
    this.caption = h(
      "section",
      { class: "story", "aria-label": "Story" },
      h("div", { class: "story-head" }, this.title, this.compare, this.next),
      this.text,
      h("div", { class: "story-progress", "aria-hidden": "true" }, this.bar),
    );
  }

  begin(run: Run): void {
    const scenario = run.scenario;
    setText(this.title, scenario ? scenario.title : "A town of your own");
    this.text.replaceChildren(
      ...(scenario
        ? scenario.story.map((sentence) => h("span", {}, `${sentence} `))
        : ["Nothing is planned here. Write a message, let the town chat, or break something."]),
    );
    const other = scenario?.compare;
    this.compare.hidden = !other;
    if (scenario && other) setText(this.compare, isCompared(scenario, run.options) ? other.back : other.there);
    const index = SCENARIOS.findIndex(({ id }) => id === scenario?.id);
    const next = SCENARIOS[index + 1];
    this.following = index >= 0 && next ? next.id : null;
    setText(this.next, next && index >= 0 ? `Next: ${next.title}` : "");
    this.next.hidden = this.following === null;
    for (const button of this.chips.querySelectorAll("button")) {
      const current = button.dataset["scenario"] === scenario?.id;
      setAttribute(button, "aria-current", current ? "true" : null);
      if (current) centre(button);
    }
    this.progress(run);
  }

  progress(run: Run): void {
    const progress = run.scenario ? Math.round(run.progress() * 500) / 500 : 0;
    if (progress === this.drawnProgress) return;
    this.drawnProgress = progress;
    this.bar.style.transform = `scaleX(${progress})`;
  }
}

/** Scrolls the row of scenarios, and never the page. */
function centre(button: HTMLElement): void {
  const row = button.closest("ol");
  if (row) row.scrollLeft = button.offsetLeft - (row.clientWidth - button.offsetWidth) / 2;
}
