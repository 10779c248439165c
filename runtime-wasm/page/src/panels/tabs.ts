// Tabs after the pattern of the ARIA authoring practices: arrows move, one panel shows.

import { h } from "../dom.js";
import type { Panel } from "./panel.js";

export interface Tab {
  id: string;
  label: string;
  panel: Panel;
}

export class Tabs {
  readonly node: HTMLElement;
  private readonly buttons: HTMLButtonElement[];
  private current: Tab;

  constructor(
    private readonly tabs: readonly [Tab, ...Tab[]],
    private readonly changed: () => void,
  ) {
    this.current = tabs[0];
    this.buttons = tabs.map((tab) =>
      h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${tab.id}`,
          "aria-controls": `panel-${tab.id}`,
          on: { click: () => this.open(tab.id), keydown: (event) => this.onKey(event as KeyboardEvent) },
        },
        tab.label,
      ),
    );
    const panels = tabs.map((tab) =>
      h("div", { role: "tabpanel", id: `panel-${tab.id}`, "aria-labelledby": `tab-${tab.id}`, class: "panel" }, tab.panel.node),
    );
    this.node = h(
      "aside",
      { class: "side", "aria-label": "Details" },
      h("div", { class: "tabs", role: "tablist", "aria-label": "Details" }, ...this.buttons),
      ...panels,
    );
    this.show();
  }

  get panel(): Panel {
    return this.current.panel;
  }

  open(id: string): void {
    const tab = this.tabs.find((each) => each.id === id);
    if (!tab) return;
    this.current = tab;
    this.show();
    this.changed();
  }

  private show(): void {
    for (const [index, tab] of this.tabs.entries()) {
      const open = tab === this.current;
      const button = this.buttons[index];
      button?.setAttribute("aria-selected", String(open));
      button?.setAttribute("tabindex", open ? "0" : "-1");
      const panel = this.node.querySelector<HTMLElement>(`#panel-${tab.id}`);
      if (panel) panel.hidden = !open;
    }
  }

  private onKey(event: KeyboardEvent): void {
    const index = this.tabs.indexOf(this.current);
    const count = this.tabs.length;
    const next: Record<string, number> = { ArrowRight: index + 1, ArrowLeft: index - 1 + count, Home: 0, End: count - 1 };
    const target = next[event.key];
    if (target === undefined) return;
    event.preventDefault();
    const tab = this.tabs[target % count];
    if (!tab) return;
    this.open(tab.id);
    this.buttons[target % count]?.focus();
  }
}
