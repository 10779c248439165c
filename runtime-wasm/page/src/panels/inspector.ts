// The bytes of one party or one envelope, decoded as far as its reader can.

import type { Known } from "../contract.js";
import { h, setText } from "../dom.js";
import { partyName } from "../words.js";
import type { Controls, Panel, View } from "./panel.js";

/** Bytes shown before the reader asks for the rest, in hexadecimal digits. */
const HEX_SHORT = 128;

/** Of a longer list only the first branch with something sealed in it is open from the start. */
const UNFOLDED_MAX = 4;

export class Inspector implements Panel {
  readonly node: HTMLElement;
  private readonly title = h("h2", { id: "inspector-title" });
  private readonly tree = h("div", { class: "known-tree" });
  private drawn = "";
  private readonly close: HTMLButtonElement;
  /** Which branches the reader opened or closed, by their path. */
  private readonly opened = new Map<string, boolean>();

  constructor(controls: Controls) {
    this.close = h("button", { type: "button", class: "quiet", on: { click: () => controls.select(null) } }, "Close");
    this.node = h(
      "section",
      { class: "inspector", "aria-labelledby": "inspector-title" },
      h("div", { class: "section-head" }, this.title, this.close),
      this.tree,
    );
  }

  update(view: View): void {
    const { selection, run, snapshot } = view;
    this.close.hidden = selection === null;
    if (selection === null) {
      setText(this.title, "Bytes");
      this.draw("nothing", () => [
        h("p", { class: "empty" }, "Select a party or an envelope in the picture to see the very bytes it has, decoded."),
      ]);
      return;
    }
    if (selection.kind === "party") {
      const party = snapshot.parties.find(({ id }) => id === selection.party);
      setText(this.title, `What ${party?.label ?? partyName(selection.party)} has`);
      this.drawKnown(`party ${selection.party}`, run.stage.knows(selection.party), "It has nothing yet.");
    } else {
      const event = run.log.find(({ id }) => id === selection.id);
      const way = event?.from && event.to ? `, ${partyName(event.from)} → ${partyName(event.to)}` : "";
      setText(this.title, `${event?.name ?? "Envelope"}${way}`);
      this.drawKnown(
        `envelope ${selection.id}`,
        run.stage.envelope(selection.id),
        "The bytes of this envelope are no longer kept: only those of recent ones are.",
      );
    }
  }

  private drawKnown(key: string, known: readonly Known[], nothing: string): void {
    this.draw(`${key} ${JSON.stringify(known)}`, () =>
      known.length === 0
        ? [h("p", { class: "empty" }, nothing)]
        : known.map((each, index) => this.branch(each, `${key}/${index}`, true)),
    );
  }

  private draw(state: string, make: () => Node[]): void {
    if (this.drawn === state) return;
    this.drawn = state;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["path"] : undefined;
    this.tree.replaceChildren(...make());
    if (focused) this.tree.querySelector<HTMLElement>(`[data-path="${CSS.escape(focused)}"]`)?.focus();
  }

  private branch(known: Known, path: string, unfold: boolean): HTMLElement {
    const children = known.children ?? [];
    const head: Node[] = [h("span", { class: "known-title" }, known.title), h("span", { class: "known-text" }, known.text)];
    const body: Node[] = known.bytes ? [this.hex(known, path)] : [];
    const telling = Math.max(0, children.findIndex(hasSealed));
    body.push(
      ...children.map((child, index) =>
        this.branch(child, `${path}/${index}`, unfold && (index === telling || children.length <= UNFOLDED_MAX)),
      ),
    );
    const kind = known.readable ? "known" : "known is-sealed";
    if (body.length === 0) return h("div", { class: kind }, h("div", { class: "known-head" }, ...head));
    const open = this.opened.get(path) ?? unfold;
    const summary = h("summary", { class: "known-head", "data-path": path }, ...head);
    const details = h("details", { class: kind, open }, summary, ...body);
    details.addEventListener("toggle", () => this.opened.set(path, details.open));
    return details;
  }

  private hex(known: Known, path: string): HTMLElement {
    const bytes = known.bytes ?? "";
    const label = known.readable ? "Bytes, readable" : "Ciphertext, not readable here";
    const all = this.opened.get(`${path}#hex`) === true || bytes.length <= HEX_SHORT;
    const code = h("code", { class: known.readable ? "hex" : "hex is-sealed" }, grouped(all ? bytes : bytes.slice(0, HEX_SHORT)));
    const holder = h("div", { class: "hex-holder" }, h("span", { class: "hex-label" }, label), code);
    if (!all) {
      const more = h(
        "button",
        { type: "button", class: "quiet", "data-path": `${path}#hex` },
        `Show all ${Math.floor(bytes.length / 2)} bytes`,
      );
      more.addEventListener("click", () => {
        this.opened.set(`${path}#hex`, true);
        setText(code, grouped(bytes));
        more.remove();
      });
      holder.append(more);
    }
    return holder;
  }
}

function hasSealed(known: Known): boolean {
  return !known.readable || (known.children ?? []).some(hasSealed);
}

/** Pairs of bytes, so that a line can break between them. */
function grouped(hex: string): string {
  return hex.replace(/[0-9a-f]{4}(?=.)/gi, "$& ");
}
