// What the panels of the side share.

import type { Deed, FactRow, PartyId, Snapshot } from "../contract.js";
import type { Run } from "../run.js";

/** What the reader is looking at. */
export type Selection = { kind: "party"; party: PartyId } | { kind: "envelope"; id: number } | null;

/** What a panel is shown from: one look at the run. */
export interface View {
  run: Run;
  snapshot: Snapshot;
  facts: readonly FactRow[];
  selection: Selection;
}

/** What a panel may ask of the page. */
export interface Controls {
  /** Does it, and says in the status line what came of it. */
  act(deed: Deed, done: string): void;
  select(selection: Selection): void;
}

export interface Panel {
  readonly node: HTMLElement;
  update(view: View): void;
}
