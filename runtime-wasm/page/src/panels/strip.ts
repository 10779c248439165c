// Always on screen: the account of all messages, and the laws.

import type { Account, Law } from "../contract.js";
import { h, List, setAttribute, setText, type Row } from "../dom.js";
import type { Panel, View } from "./panel.js";

const COLUMNS: readonly { key: keyof Account; label: string; means: string }[] = [
  { key: "sent", label: "sent", means: "All messages of this run" },
  { key: "read", label: "read", means: "Opened by their phone" },
  { key: "shown", label: "shown", means: "An alert on the phone speaks for them" },
  { key: "waiting", label: "waiting", means: "On their way" },
  { key: "lost", label: "excused", means: "Their phone was not told, by a rule; they wait at their SMP server" },
];

export class Strip implements Panel {
  readonly node: HTMLElement;
  private readonly numbers = new Map<keyof Account, HTMLElement>();
  private readonly verdict = h("span", { class: "verdict-text" });
  private readonly laws = h("ul", { class: "laws", id: "laws" });
  private readonly rows = new List<Law>(this.laws, (law) => law.name, makeLaw);
  private readonly more: HTMLButtonElement;

  constructor() {
    const account = COLUMNS.map(({ key, label, means }) => {
      const number = h("b", {}, "0");
      this.numbers.set(key, number);
      return h("li", { class: `count-${key}`, title: means }, number, h("span", {}, label));
    });
    this.more = h(
      "button",
      { type: "button", class: "verdict", "aria-expanded": "false", "aria-controls": "laws" },
      h("i", { class: "lamp" }),
      this.verdict,
    );
    this.more.addEventListener("click", () => {
      const open = this.more.getAttribute("aria-expanded") === "false";
      this.more.setAttribute("aria-expanded", String(open));
      this.laws.classList.toggle("is-open", open);
      // Open, the list may scroll: then the keyboard has to get there.
      setAttribute(this.laws, "tabindex", open ? "0" : null);
    });
    this.node = h(
      "section",
      { class: "strip", "aria-label": "Account of messages, and laws" },
      h("ul", { class: "account", "aria-label": "Messages" }, ...account),
      this.more,
      this.laws,
    );
  }

  update({ snapshot }: View): void {
    for (const { key } of COLUMNS) {
      const number = this.numbers.get(key);
      if (number) setText(number, snapshot.account[key].toLocaleString("en"));
    }
    const broken = snapshot.laws.filter((law) => !law.holds);
    const text =
      broken.length === 0
        ? `Every message accounted for; all ${snapshot.laws.length} laws hold`
        : `Broken: ${broken.map((law) => law.name).join("; ")}`;
    setText(this.verdict, text);
    setAttribute(this.node, "data-holds", String(broken.length === 0));
    this.rows.update(snapshot.laws);
  }
}

function makeLaw(first: Law): Row<Law> {
  const text = h("span", { class: "law-text" });
  const lamp = h("i", { class: "lamp" });
  const word = h("span", { class: "for-readers" });
  const node = h("li", { class: "law" }, lamp, h("b", {}, first.name), word, text);
  const update = (law: Law): void => {
    setAttribute(node, "data-holds", String(law.holds));
    setText(word, law.holds ? "holds" : "broken");
    setText(text, law.text);
  };
  return { node, update };
}
