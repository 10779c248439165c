// Envelopes on their way. The nodes are a pool of fixed size, so a busy hour costs no more than a quiet one.

import type { Fate, Happening, PartyId } from "../contract.js";
import { svg } from "../dom.js";
import { kindOf, type Kind } from "./kinds.js";
import { lane, type Box, type Lane } from "./layout.js";

/** Envelopes drawn at the same time. Ours: more than these cannot be told apart, and the lines glow for the rest. */
const FLIGHTS_MAX = 32;

/** An envelope is seen for at least this long, however fast the clock runs, in real milliseconds. */
const SEEN_MS = 420;

/** And without motion, where it stands in the middle of its way. */
const SEEN_STILL_MS = 900;

/** Where what is lost or held ends, as a part of its way. */
const STOPPED = 0.6;

/** Distance of the two lanes of a line from its middle, in pixels. */
const ASIDE = 7;

export interface Flying {
  id: number;
  from: PartyId;
  to: PartyId;
  name: string;
  kind: Kind;
  at: number;
  arrives: number;
  fate: Fate;
}

interface Slot {
  node: SVGGElement;
  label: SVGTextElement;
  flying: Flying | null;
  /** Further envelopes of the same name that left at the same moment. */
  more: number;
  born: number;
}

export class Envelopes {
  readonly layer = svg("g", { class: "envelopes", "aria-hidden": "true" });
  private readonly slots: Slot[] = [];
  private readonly lanes = new Map<string, Lane | null>();
  private selected: number | null = null;
  private scale = 1;

  constructor(
    private readonly boxOf: (party: PartyId) => Box | null,
    onSelect: (id: number) => void,
    private readonly still: () => boolean,
  ) {
    for (let index = 0; index < FLIGHTS_MAX; index += 1) {
      const label = svg("text", { class: "envelope-name", y: 23 });
      const node = svg(
        "g",
        { class: "envelope", visibility: "hidden" },
        svg("rect", { class: "envelope-hit", x: -22, y: -18, width: 44, height: 46 }),
        svg("rect", { class: "envelope-paper", x: -12, y: -8, width: 24, height: 16, rx: 2.5 }),
        svg("path", { class: "envelope-flap", d: "M-11-6.5 0 2 11-6.5" }),
        svg("path", { class: "envelope-cross", d: "M-7-7 7 7M7-7-7 7" }),
        label,
      );
      const slot: Slot = { node, label, flying: null, more: 0, born: 0 };
      node.addEventListener("click", () => {
        if (slot.flying) onSelect(slot.flying.id);
      });
      this.slots.push(slot);
      this.layer.append(node);
    }
  }

  /** Those that are moving at virtual time `shown`. */
  flights(shown: number): Flying[] {
    const flights: Flying[] = [];
    for (const { flying } of this.slots) if (flying && flying.fate !== "held" && flying.arrives > shown) flights.push(flying);
    return flights;
  }

  launch(happening: Happening, real: number): void {
    const { id, from, to, name } = happening;
    if (id === undefined || from === undefined || to === undefined) return;
    const flying: Flying = {
      id,
      from,
      to,
      name: name ?? "",
      kind: kindOf(name ?? ""),
      at: happening.at,
      arrives: Math.max(happening.arrives ?? happening.at, happening.at + 1),
      fate: happening.fate ?? "arrives",
    };
    const known = this.slots.find((each) => each.flying?.id === id);
    if (known) {
      known.flying = { ...flying, at: known.flying?.at ?? flying.at };
      known.node.setAttribute("class", this.classOf(flying));
      return;
    }
    const twin = this.slots.find(
      ({ flying: other }) =>
        other && other.name === flying.name && other.from === from && other.to === to && Math.abs(other.at - flying.at) < 3,
    );
    if (twin) {
      twin.more += 1;
      twin.label.textContent = `${flying.name} ×${twin.more + 1}`;
      if (twin.flying) twin.flying.arrives = Math.max(twin.flying.arrives, flying.arrives);
      return;
    }
    const slot = this.slots.find((each) => !each.flying) ?? (flying.kind === "upkeep" ? null : this.leastWorth());
    if (!slot) return;
    slot.flying = flying;
    slot.more = 0;
    slot.born = real;
    slot.label.textContent = flying.name;
    slot.node.setAttribute("data-way", `${from} ${to}`);
    slot.node.setAttribute("class", this.classOf(flying));
  }

  /** Moves everything to where it is at virtual time `shown` and real time `real`. */
  frame(shown: number, real: number): void {
    const still = this.still();
    for (const slot of this.slots) {
      const { flying } = slot;
      if (!flying) continue;
      const path = this.laneOf(flying);
      const seen = (real - slot.born) / (still ? SEEN_STILL_MS : SEEN_MS);
      const way = (shown - flying.at) / (flying.arrives - flying.at);
      const held = flying.fate === "held";
      const part = held ? 1 : Math.min(seen, way);
      if (!path || (part >= 1 && !held)) {
        slot.flying = null;
        slot.node.setAttribute("visibility", "hidden");
        continue;
      }
      const end = flying.fate === "arrives" ? 1 : STOPPED;
      const place = still ? 0.5 : ease(Math.max(0, part)) * end;
      const x = path.from.x + (path.to.x - path.from.x) * place;
      const y = path.from.y + (path.to.y - path.from.y) * place;
      slot.node.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${this.scale})`);
      slot.node.setAttribute("visibility", "visible");
    }
  }

  select(id: number | null): void {
    this.selected = id;
    for (const { flying, node } of this.slots) if (flying) node.setAttribute("class", this.classOf(flying));
  }

  /** The parties stand elsewhere in a picture of this width: lanes are measured anew. */
  forgetLanes(width: number): void {
    this.scale = Math.min(1.7, Math.max(1, width / 1000));
    this.lanes.clear();
  }

  clear(): void {
    for (const slot of this.slots) {
      slot.flying = null;
      slot.node.setAttribute("visibility", "hidden");
    }
  }

  private leastWorth(): Slot | null {
    return this.slots.find(({ flying }) => flying?.kind === "upkeep") ?? null;
  }

  private classOf(flying: Flying): string {
    return `envelope kind-${flying.kind} is-${flying.fate}${flying.id === this.selected ? " is-selected" : ""}`;
  }

  private laneOf({ from, to }: Flying): Lane | null {
    const key = `${from} ${to}`;
    let found = this.lanes.get(key);
    if (found === undefined) {
      const a = this.boxOf(from);
      const b = this.boxOf(to);
      found = a && b ? lane(grown(a), grown(b), ASIDE) : null;
      this.lanes.set(key, found);
    }
    return found;
  }
}

/** An envelope starts and ends beside the card, not on it. */
function grown(box: Box): Box {
  return { ...box, width: box.width + 30, height: box.height + 24 };
}

/** Leaves and arrives gently. */
function ease(part: number): number {
  return part < 0.5 ? 2 * part * part : 1 - (2 - 2 * part) ** 2 / 2;
}
