// Who learned what: parties × facts, computed by the run from the bytes that each party could read.

import type { FactRow, PartyId } from "../contract.js";
import { h, List, setAttribute, setText, type Row } from "../dom.js";
import { partyName } from "../words.js";
import type { Controls, Panel, View } from "./panel.js";

export class LearnedPanel implements Panel {
  readonly node: HTMLElement;
  private readonly head = h("tr");
  private readonly body = h("tbody");
  private readonly why = h("div", { class: "fact-why", "aria-live": "polite" });
  private whyDrawn = "";
  private rows: List<FactRow>;
  private columns = "";
  private parties: PartyId[] = [];
  private facts: readonly FactRow[] = [];
  private open: string | null = null;

  constructor(private readonly controls: Controls) {
    this.rows = this.newRows();
    this.node = h(
      "section",
      { "aria-labelledby": "facts-title" },
      h("h2", { id: "facts-title" }, "Who learned what"),
      h(
        "p",
        { class: "note" },
        "Taken from this run: a party has learned a fact when its bytes are among those that the party could read.",
      ),
      h(
        "div",
        { class: "table-scroll", tabindex: 0, role: "region", "aria-label": "Parties and facts" },
        h("table", { class: "facts" }, h("thead", {}, this.head), this.body),
      ),
      h("p", { class: "key" }, h("i", { class: "mark is-learned" }), "learned", h("i", { class: "mark" }), "not learned"),
      this.why,
      h("p", { class: "note" }, "Select a fact to see why it is one and who learned it where; select a party to see its bytes."),
    );
  }

  update(view: View): void {
    this.facts = view.facts;
    this.parties = view.snapshot.parties.map((party) => party.id).filter((id) => view.facts.some((row) => id in row.parties));
    const columns = this.parties.join(" ");
    if (columns !== this.columns) {
      this.columns = columns;
      this.head.replaceChildren(
        h("th", { scope: "col" }, "Fact"),
        ...this.parties.map((id) => h("th", { scope: "col", class: "party-head" }, this.partyButton(id))),
      );
      this.body.replaceChildren();
      this.rows = this.newRows();
    }
    const selected = view.selection?.kind === "party" ? view.selection.party : null;
    for (const button of this.head.querySelectorAll("button")) {
      setAttribute(button, "aria-pressed", String(button.dataset["column"] === selected));
    }
    this.rows.update(view.facts);
    this.drawWhy(view.facts);
  }

  /** Why the open row is as it is, with the places where it was learned. */
  private drawWhy(facts: readonly FactRow[]): void {
    const row = facts.find(({ fact }) => fact === this.open);
    const state = row ? JSON.stringify([row.fact, row.evidence]) : "";
    if (state === this.whyDrawn) return;
    this.whyDrawn = state;
    const places = this.parties
      .filter((party) => row?.evidence[party])
      .map((party) => h("li", {}, h("b", {}, partyName(party)), `: ${row?.evidence[party] ?? ""}`));
    this.why.replaceChildren(...(row ? [h("p", {}, row.why), places.length > 0 ? h("ul", {}, ...places) : ""] : []));
  }

  private partyButton(id: PartyId): HTMLElement {
    const button = h(
      "button",
      { type: "button", "aria-pressed": "false", on: { click: () => this.controls.select({ kind: "party", party: id }) } },
      partyName(id),
    );
    button.dataset["column"] = id;
    return button;
  }

  private newRows(): List<FactRow> {
    return new List(this.body, (row) => row.fact, (row) => this.makeRow(row));
  }

  private makeRow(first: FactRow): Row<FactRow> {
    const button = h("button", { type: "button", "aria-expanded": "false" }, first.fact);
    button.addEventListener("click", () => {
      this.open = this.open === first.fact ? null : first.fact;
      for (const other of this.body.querySelectorAll("th button")) {
        setAttribute(other, "aria-expanded", String(other === button && this.open !== null));
      }
      this.drawWhy(this.facts);
    });
    const cells = this.parties.map((party) => {
      const mark = h("i", { class: "mark" });
      const word = h("span", { class: "for-readers" });
      return { party, mark, word, cell: h("td", {}, mark, word) };
    });
    const node = h("tr", {}, h("th", { scope: "row" }, button), ...cells.map(({ cell }) => cell));
    const update = (row: FactRow): void => {
      for (const { party, mark, word, cell } of cells) {
        const state = row.parties[party] ?? "not learned";
        const before = word.textContent;
        if (before === state) continue;
        setText(word, state);
        setAttribute(cell, "title", `${partyName(party)}: ${state}`);
        mark.classList.toggle("is-learned", state === "learned");
        mark.classList.toggle("is-new", state === "learned" && before !== "");
      }
    };
    return { node, update };
  }
}
