// Break it: every fault that the town can suffer, one control each.

import type { Deed, Link, Options, PartyId, Snapshot } from "../contract.js";
import { h, setAttribute, setText } from "../dom.js";
import { linkName } from "../picture/picture.js";
import { bytesText, isParty, partyName, spanText } from "../words.js";
import type { Controls, Panel, View } from "./panel.js";

const KILLABLE = ["subscriber", "push", "smp1", "smp2"] as const;

/** How late a slowed link is, in milliseconds. */
const DELAYS: readonly number[] = [500, 2000, 10_000, 60_000];

export class BreakPanel implements Panel {
  readonly node: HTMLElement;
  private readonly status = h("p", { class: "deed-status", role: "status" });
  private readonly updates: ((snapshot: Snapshot) => void)[] = [];
  private readonly switches: [HTMLInputElement, (options: Options) => boolean][] = [];
  private readonly linkSelect = select("link-select", "Link", []);
  private readonly phoneSelect = select("fault-phone", "Phone", []);
  private readonly delaySelect = select(
    "link-delay",
    "Delay",
    DELAYS.map((ms) => [String(ms), spanText(ms)] as const),
  );

  constructor(private readonly controls: Controls) {
    this.node = h(
      "section",
      { class: "break" },
      h("h2", {}, "Break it"),
      h("p", { class: "note" }, "The laws and the account below the picture hold all the same, and say so at once if they do not."),
      this.status,
      this.parties(),
      this.link(),
      this.phone(),
      this.world(),
      this.meters(),
    );
  }

  update({ snapshot }: View): void {
    fillSelect(this.linkSelect.select, snapshot.links.map((link) => [linkValue(link), linkLabel(link)] as const));
    const phones = snapshot.parties.filter(({ id }) => id.startsWith("device"));
    fillSelect(this.phoneSelect.select, phones.map(({ id, label }) => [id, label] as const));
    for (const update of this.updates) update(snapshot);
  }

  /** The reader pointed at a link in the picture. */
  chooseLink(a: PartyId, b: PartyId): void {
    for (const option of this.linkSelect.select.options) {
      if (option.value === `${a} ${b}` || option.value === `${b} ${a}`) this.linkSelect.select.value = option.value;
    }
    this.linkSelect.select.focus();
  }

  say(text: string): void {
    setText(this.status, text);
  }

  /** A run begins: everything is whole. */
  begin(options: Options): void {
    for (const [input, on] of this.switches) input.checked = on(options);
    this.say("");
  }

  private parties(): HTMLElement {
    const rows = KILLABLE.map((party) => {
      const state = h("span", { class: "up-state" });
      const button = h("button", { type: "button", "data-kill": party });
      let up = true;
      button.addEventListener("click", () => {
        const name = partyName(party);
        const deed: Deed = { do: up ? "kill" : "start", party };
        this.controls.act(deed, up ? `${name} is killed: what it had in memory is gone.` : `${name} is started, with an empty memory.`);
      });
      const row = h("li", {}, h("span", {}, partyName(party)), state, button);
      this.updates.push((snapshot) => {
        const known = snapshot.parties.find(({ id }) => id === party);
        row.hidden = !known;
        up = known?.up ?? true;
        setText(state, up ? "running" : "down");
        setAttribute(state, "data-up", String(up));
        setText(button, up ? "Kill" : "Start");
        setAttribute(button, "aria-label", `${up ? "Kill" : "Start"} ${partyName(party)}`);
      });
      return row;
    });
    return group("Servers", h("ul", { class: "switches" }, ...rows));
  }

  private link(): HTMLElement {
    const ends = (): { a: PartyId; b: PartyId } | null => {
      const [a, b] = this.linkSelect.select.value.split(" ");
      return isParty(a) && isParty(b) ? { a, b } : null;
    };
    const button = (text: string, deed: (a: PartyId, b: PartyId) => Deed, done: string): HTMLElement =>
      h(
        "button",
        {
          type: "button",
          on: {
            click: () => {
              const link = ends();
              if (link) this.controls.act(deed(link.a, link.b), `${linkName(link.a, link.b)} ${done}`);
            },
          },
        },
        text,
      );
    return group(
      "A link",
      this.linkSelect.label,
      h(
        "div",
        { class: "row" },
        button("Cut", (a, b) => ({ do: "cut", a, b }), "is cut."),
        button("Mend", (a, b) => ({ do: "mend", a, b }), "is mended."),
      ),
      h(
        "div",
        { class: "row" },
        this.delaySelect.label,
        button("Slow down", (a, b) => ({ do: "slow", a, b, ms: Number(this.delaySelect.select.value) }), "is slow."),
        button("Normal", (a, b) => ({ do: "slow", a, b, ms: 0 }), "is as fast as before."),
      ),
    );
  }

  private phone(): HTMLElement {
    const button = (text: string, deed: (device: PartyId) => Deed, done: string): HTMLElement =>
      h(
        "button",
        {
          type: "button",
          on: {
            click: () => {
              const device = this.phoneSelect.select.value;
              if (isParty(device)) this.controls.act(deed(device), `${partyName(device)}: ${done}`);
            },
          },
        },
        text,
      );
    return group(
      "A phone",
      this.phoneSelect.label,
      h(
        "div",
        { class: "row" },
        button("Refuse its token", (device) => ({ do: "refuse-token", device }), "Apple refuses the token with 410 from here on."),
        button("Exceed the budget", (device) => ({ do: "flood", device }), "many messages at once are on their way."),
        button("Open the app", (device) => ({ do: "open-app", device }), "the app is opened."),
      ),
    );
  }

  private world(): HTMLElement {
    const pushes = toggle("Apple loses the pushes it accepted", (on) => {
      this.controls.act({ do: "drop-pushes", on }, on ? "Apple accepts pushes and loses them." : "Apple delivers pushes again.");
    });
    const hostile = toggle("A hostile client hammers the subscriber", (on) => {
      this.controls.act({ do: "hostile", on }, on ? "A stranger hammers the subscriber." : "The stranger has gone.");
    });
    const carrier = toggle("Phones are behind a carrier's NAT", (on) => {
      this.controls.act(
        { do: "network", network: on ? "carrier" : "wifi" },
        on ? "The phones are behind a carrier's NAT." : "The phones are on Wi-Fi.",
      );
    });
    this.switches.push(
      [pushes.input, () => false],
      [hostile.input, () => false],
      [carrier.input, (options) => options.network === "carrier"],
    );
    return group("The world", pushes.label, hostile.label, carrier.label);
  }

  private meters(): HTMLElement {
    const budgets = h("ul", { class: "meters" });
    const idles = h("ul", { class: "meters" });
    this.updates.push((snapshot) => {
      budgets.replaceChildren(
        ...snapshot.budget.map(({ device, left, of, next_at }) => {
          const next = next_at !== undefined && next_at > snapshot.now ? `, next in ${spanText(next_at - snapshot.now)}` : "";
          return h(
            "li",
            {},
            h("span", {}, partyName(device)),
            h("meter", { min: 0, max: of, value: left, "aria-label": `Pushes left for ${partyName(device)}` }),
            h("span", {}, `${left} of ${of} left${next}`),
          );
        }),
      );
      idles.replaceChildren(
        ...snapshot.idle.map(({ device, bytes_per_hour, wakeups_per_hour }) =>
          h(
            "li",
            {},
            h("span", {}, partyName(device)),
            h("span", { class: "wide" }, `${bytesText(bytes_per_hour)} and ${Math.round(wakeups_per_hour)} wake-ups an hour when idle`),
          ),
        ),
      );
    });
    return group("Budget of hidden pushes, cost of idling", budgets, idles);
  }
}

function group(title: string, ...children: Node[]): HTMLElement {
  return h("fieldset", {}, h("legend", {}, title), ...children);
}

function select(id: string, text: string, options: readonly (readonly [string, string])[]): { label: HTMLElement; select: HTMLSelectElement } {
  const made = h("select", { id });
  fillSelect(made, options);
  return { label: h("label", { class: "field", for: id }, h("span", {}, text), made), select: made };
}

function fillSelect(target: HTMLSelectElement, options: readonly (readonly [string, string])[]): void {
  const state = options.map(([value, label]) => `${value}=${label}`).join("\n");
  if (target.dataset["state"] === state) return;
  target.dataset["state"] = state;
  const before = target.value;
  target.replaceChildren(...options.map(([value, label]) => h("option", { value }, label)));
  if (options.some(([value]) => value === before)) target.value = before;
}

function toggle(text: string, change: (on: boolean) => void): { label: HTMLElement; input: HTMLInputElement } {
  const input = h("input", { type: "checkbox", role: "switch" });
  input.addEventListener("change", () => change(input.checked));
  return { label: h("label", { class: "toggle" }, input, h("span", {}, text)), input };
}

function linkValue(link: Link): string {
  return `${link.a} ${link.b}`;
}

function linkLabel(link: Link): string {
  const state = link.state === "up" ? "" : ` (${link.state})`;
  return linkName(link.a, link.b) + state;
}
