// The network picture: cards for the parties, lines for the links, and envelopes between them.

import type { FactRow, Happening, Link, Party, PartyId, Snapshot } from "../contract.js";
import { h, List, setAttribute, setText, svg, type Row } from "../dom.js";
import { capital, partyName } from "../words.js";
import { Envelopes, type Flying } from "./envelopes.js";
import { icon } from "./icons.js";
import { KINDS } from "./kinds.js";
import { edge, placeOf, shapeOf, type Box, type Shape } from "./layout.js";

export interface PictureEvents {
  party(id: PartyId): void;
  envelope(id: number): void;
  link(a: PartyId, b: PartyId): void;
}

/** What a line still shows of the traffic that passed, as a part, after a frame of 16 ms. */
const GLOW_KEPT = 0.93;

/** Between a card and the picture's edge, in pixels. */
const EDGE = 6;

export class Picture {
  readonly envelopes: Envelopes;
  private readonly lines = svg("svg", { class: "lines", "aria-hidden": "true" });
  private readonly air = svg("svg", { class: "air", "aria-hidden": "true" });
  private readonly linkList: List<Link>;
  private readonly cardList: List<Party>;
  private readonly cards = new Map<PartyId, HTMLElement>();
  private readonly boxes = new Map<PartyId, Box>();
  private readonly glows = new Map<string, { node: SVGElement; glow: number; drawn: number }>();
  private learned = new Map<PartyId, string>();
  private selected: PartyId | null = null;
  private shape: Shape = "wide";
  private latest: Snapshot | null = null;
  private stale = true;

  constructor(
    private readonly root: HTMLElement,
    private readonly events: PictureEvents,
    still: () => boolean,
  ) {
    const cards = h("div", { class: "cards" });
    this.envelopes = new Envelopes((party) => this.boxes.get(party) ?? null, events.envelope, still);
    this.air.append(this.envelopes.layer);
    root.append(this.lines, cards, this.air, legend());
    this.linkList = new List(this.lines, linkKey, (link) => this.makeLink(link));
    this.cardList = new List(cards, (party) => party.id, (party) => this.makeCard(party));
    new ResizeObserver(() => {
      this.stale = true;
    }).observe(root);
  }

  /** Draws state: who is up, which links, what the phones show, and how much each has learned. */
  update(snapshot: Snapshot, facts: readonly FactRow[]): void {
    this.latest = snapshot;
    this.learned = learnedBy(facts);
    const before = this.cards.size;
    this.cardList.update(snapshot.parties);
    if (before !== this.cards.size) this.stale = true;
    if (this.stale) this.measure();
    this.linkList.update(snapshot.links);
  }

  launch(happenings: readonly Happening[], real: number): void {
    for (const happening of happenings) {
      if (happening.kind !== "envelope") continue;
      this.envelopes.launch(happening, real);
      const { from, to } = happening;
      const glow = from && to ? this.glows.get(pairKey(from, to)) : undefined;
      if (glow) glow.glow = Math.min(1, glow.glow + 0.35);
    }
  }

  frame(shown: number, real: number): void {
    if (this.stale && this.latest) {
      this.measure();
      this.linkList.update(this.latest.links);
    }
    this.envelopes.frame(shown, real);
    for (const line of this.glows.values()) {
      line.glow = line.glow < 0.02 ? 0 : line.glow * GLOW_KEPT;
      // Steps of a sixteenth: most frames then change nothing.
      const rounded = Math.round(line.glow * 16) / 16;
      if (rounded !== line.drawn) {
        line.drawn = rounded;
        line.node.setAttribute("stroke-opacity", String(rounded));
      }
    }
  }

  flights(shown: number): Flying[] {
    return this.envelopes.flights(shown);
  }

  select(party: PartyId | null, envelope: number | null): void {
    this.selected = party;
    this.envelopes.select(envelope);
    for (const [id, card] of this.cards) setAttribute(card, "aria-pressed", String(id === party));
  }

  clear(): void {
    this.envelopes.clear();
    for (const line of this.glows.values()) line.glow = 0;
  }

  private makeCard(party: Party): Row<Party> {
    const isPhone = party.id.startsWith("device");
    const name = h("span", { class: "card-name" });
    const line = h("span", { class: "card-line" });
    const dots = h("span", { class: "card-dots" });
    const notice = h("span", { class: "card-notice" });
    const more = h("span", { class: "for-readers" });
    const card = h(
      "button",
      {
        type: "button",
        class: isPhone ? "card card-phone" : "card",
        "data-party": party.id,
        "aria-pressed": "false",
        on: { click: () => this.events.party(party.id) },
      },
      isPhone ? h("span", { class: "card-speaker" }) : icon(party.id),
      name,
      isPhone ? h("span", { class: "card-screen" }, notice) : line,
      isPhone ? line : null,
      dots,
      more,
    );
    this.cards.set(party.id, card);
    const update = (now: Party): void => {
      setText(name, capital(now.label));
      setText(line, now.up ? (now.lines[0] ?? "") : "down");
      setText(notice, now.notification ?? "");
      card.classList.toggle("is-down", !now.up);
      card.classList.toggle("has-notice", now.notification !== undefined && now.notification !== "");
      const learned = this.learned.get(now.id) ?? "";
      drawDots(dots, learned);
      const known = [...learned].filter((mark) => mark === "1").length;
      const rest = now.up ? now.lines.slice(1) : [];
      setText(more, [...rest, `learned ${known} of ${learned.length} facts`].join(", "));
      setAttribute(card, "aria-pressed", String(now.id === this.selected));
    };
    const row: Row<Party> = { node: card, update };
    return row;
  }

  private makeLink(link: Link): Row<Link> {
    const base = svg("path", { class: "line" });
    const glow = svg("path", { class: "line-glow", "stroke-opacity": 0 });
    const hit = svg("path", { class: "line-hit", on: { click: () => this.events.link(link.a, link.b) } });
    const mark = svg("text", { class: "line-mark" });
    const node = svg("g", {}, base, glow, hit, mark);
    this.glows.set(pairKey(link.a, link.b), { node: glow, glow: 0, drawn: 0 });
    const update = (now: Link): void => {
      setAttribute(node, "class", `link is-${now.state}`);
      const a = this.boxes.get(now.a);
      const b = this.boxes.get(now.b);
      setAttribute(node, "visibility", a && b ? "visible" : "hidden");
      if (!a || !b) return;
      const from = edge(a, b);
      const to = edge(b, a);
      const path = `M${from.x.toFixed(1)} ${from.y.toFixed(1)}L${to.x.toFixed(1)} ${to.y.toFixed(1)}`;
      for (const each of [base, glow, hit]) setAttribute(each, "d", path);
      setText(mark, now.state === "cut" ? "✂ cut" : now.state === "slow" ? "slow" : "");
      setAttribute(mark, "x", ((from.x + to.x) / 2).toFixed(1));
      setAttribute(mark, "y", ((from.y + to.y) / 2 - 6).toFixed(1));
    };
    return { node, update };
  }

  /** Places the cards and reads their sizes: all reads first, then all writes, so that the browser lays out once. */
  private measure(): void {
    this.stale = false;
    const { width, height } = this.root.getBoundingClientRect();
    if (width === 0 || height === 0) return;
    this.shape = shapeOf(width, height);
    setAttribute(this.root, "data-shape", this.shape);
    for (const surface of [this.lines, this.air]) surface.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const present = new Set(this.latest?.parties.map((party) => party.id));
    for (const [id, card] of this.cards) {
      if (!present.has(id)) {
        this.cards.delete(id);
        this.boxes.delete(id);
        continue;
      }
      this.boxes.set(id, { x: 0, y: 0, width: card.offsetWidth, height: card.offsetHeight });
    }
    for (const [id, card] of this.cards) {
      const box = this.boxes.get(id);
      if (!box) continue;
      const place = placeOf(id, this.shape);
      const inside = (middle: number, size: number, space: number): number =>
        Math.min(Math.max(middle * space, size / 2 + EDGE), space - size / 2 - EDGE);
      box.x = inside(place.x, box.width, width);
      box.y = inside(place.y, box.height, height);
      box.width += 8;
      box.height += 8;
      card.style.left = `${box.x.toFixed(1)}px`;
      card.style.top = `${box.y.toFixed(1)}px`;
    }
    this.envelopes.forgetLanes(width);
  }
}

function linkKey(link: Link): string {
  return pairKey(link.a, link.b);
}

function pairKey(a: PartyId, b: PartyId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/** For each party one mark for each fact: `1` learned, `0` not. */
function learnedBy(facts: readonly FactRow[]): Map<PartyId, string> {
  const learned = new Map<PartyId, string>();
  for (const row of facts) {
    for (const [party, state] of Object.entries(row.parties) as [PartyId, string][]) {
      learned.set(party, (learned.get(party) ?? "") + (state === "learned" ? "1" : "0"));
    }
  }
  return learned;
}

function drawDots(holder: HTMLElement, learned: string): void {
  if (holder.dataset["learned"] === learned) return;
  holder.dataset["learned"] = learned;
  holder.replaceChildren(...[...learned].map((mark) => h("i", { class: mark === "1" ? "dot is-learned" : "dot" })));
}

function legend(): HTMLElement {
  const keys = KINDS.map(({ kind, label }) => h("li", { class: `kind-${kind}` }, h("i", {}), label));
  const facts = h("li", {}, h("span", { class: "dot is-learned" }), h("span", { class: "dot" }), "facts learned");
  return h("ul", { class: "legend", "aria-label": "What colours and dots mean" }, ...keys, facts);
}

/** For tests and screen readers: the name of a link. */
export function linkName(a: PartyId, b: PartyId): string {
  return `${partyName(a)} – ${partyName(b)}`;
}
