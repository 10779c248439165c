// What happened lately, newest first: the keyboard's way to an envelope.

import type { Happening } from "../contract.js";
import { h, List, setAttribute, type Row } from "../dom.js";
import { kindOf } from "../picture/kinds.js";
import { clockText, partyName } from "../words.js";
import type { Controls, Panel, View } from "./panel.js";

/** Rows on display; the run keeps some more. */
const ROWS_MAX = 120;

const FATES = { arrives: "", lost: ", lost", held: ", held up" };

interface Entry {
  key: string;
  happening: Happening;
  selected: boolean;
}

export class EventsPanel implements Panel {
  readonly node: HTMLElement;
  private readonly empty = h("p", { class: "empty" }, "Nothing has happened yet. Press play, or step to the first event.");
  private readonly list = h("ol", { class: "events", "aria-label": "Events, newest first" });
  private readonly rows: List<Entry>;
  private drawn = "";

  constructor(controls: Controls) {
    this.rows = new List(this.list, (entry) => entry.key, (entry) => makeRow(entry, controls));
    this.node = h(
      "section",
      {},
      h("h2", {}, "Events"),
      h("p", { class: "note" }, "Select an envelope to see its bytes."),
      this.empty,
      this.list,
    );
  }

  update({ run, selection }: View): void {
    const selected = selection?.kind === "envelope" ? selection.id : null;
    const state = `${run.happened} ${selected}`;
    if (state === this.drawn) return;
    this.drawn = state;
    const first = run.happened - run.log.length;
    const entries = run.log.map((happening, index) => ({
      key: String(first + index),
      happening,
      selected: happening.kind === "envelope" && happening.id === selected,
    }));
    this.empty.hidden = entries.length > 0;
    this.rows.update(entries.reverse().slice(0, ROWS_MAX));
  }
}

function makeRow({ happening }: Entry, controls: Controls): Row<Entry> {
  const time = h("time", {}, clockText(happening.at));
  if (happening.kind !== "envelope") {
    return { node: h("li", { class: `event is-${happening.kind}` }, time, h("span", {}, happening.text)), update: () => {} };
  }
  const { id, from, to, name } = happening;
  const button = h(
    "button",
    { type: "button", class: `event-envelope kind-${kindOf(name ?? "")}`, "aria-pressed": "false" },
    h("i", {}),
    h("b", {}, name ?? "envelope"),
    h("span", {}, `${from ? partyName(from) : ""} → ${to ? partyName(to) : ""}${FATES[happening.fate ?? "arrives"]}`),
  );
  if (id !== undefined) button.addEventListener("click", () => controls.select({ kind: "envelope", id }));
  const node = h("li", { class: "event" }, time, button);
  return { node, update: (entry) => setAttribute(button, "aria-pressed", String(entry.selected)) };
}
