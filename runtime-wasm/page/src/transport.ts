// Below the picture: play, step, speed, the virtual clock; and the line to write a message in.

import { sliderToSpeed, speedToSlider, type Clock } from "./clock.js";
import type { Happening, PartyId, Snapshot } from "./contract.js";
import { h, setAttribute, setText } from "./dom.js";
import { drawing, PAUSE, PLAY, STEP } from "./picture/icons.js";
import { clockText, isParty, speedText } from "./words.js";

export interface TransportEvents {
  play(playing: boolean): void;
  step(): void;
  speed(speed: number): void;
  follow(on: boolean): void;
  send(device: PartyId, text: string): void;
  autoplay(on: boolean): void;
}

/** Bytes of UTF-8 that a message may have. Source: the contract of the bindings. */
const TEXT_BYTES_MAX = 200;

export class Transport {
  readonly node: HTMLElement;
  private readonly playButton = h("button", { type: "button", class: "play primary" });
  private readonly slider = h("input", { id: "speed", type: "range", min: 0, max: 4, step: 0.02 });
  private readonly speedLabel = h("output", { for: "speed", class: "speed-text" });
  private readonly rate = h("span", { class: "rate" });
  private readonly clock = h("time", { class: "clock", "aria-label": "Virtual time" });
  private readonly follow = h("input", { type: "checkbox", role: "switch" });
  private readonly autoplay = h("button", { type: "button", class: "autoplay", "aria-pressed": "false" }, "Autoplay");
  private readonly device = h("select", { id: "to", "aria-label": "To" });
  private readonly text = h("input", { id: "text", type: "text", placeholder: "Write a message…", autocomplete: "off", "aria-label": "Message" });
  /** What happened last. Those who listen are told by the page's live region. */
  private readonly ticker = h("p", { class: "ticker", "aria-hidden": "true" });
  private readonly problem = h("p", { class: "problem", role: "alert" });
  private phones = "";

  constructor(private readonly events: TransportEvents) {
    this.playButton.addEventListener("click", () => events.play(this.playButton.dataset["playing"] !== "true"));
    this.slider.addEventListener("input", () => events.speed(sliderToSpeed(Number(this.slider.value))));
    this.follow.addEventListener("change", () => events.follow(this.follow.checked));
    this.autoplay.addEventListener("click", () => events.autoplay(this.autoplay.getAttribute("aria-pressed") !== "true"));
    const stepButton = h(
      "button",
      { type: "button", class: "step", "aria-label": "Step one event", title: "Step one event (.)", on: { click: () => events.step() } },
      drawing(STEP),
    );
    this.node = h(
      "section",
      { class: "transport", "aria-label": "Time and messages" },
      this.ticker,
      h(
        "div",
        { class: "time-row" },
        this.playButton,
        stepButton,
        h("div", { class: "clock-box" }, this.clock, this.rate),
        h("label", { class: "speed", for: "speed" }, h("span", {}, "Speed"), this.slider, this.speedLabel),
        h(
          "label",
          { class: "toggle follow", title: "The clock slows down while an envelope is on its way (F)" },
          this.follow,
          h("span", {}, "Follow", h("span", { class: "wide-only" }, " envelopes")),
        ),
      ),
      this.composer(),
      this.problem,
    );
  }

  /** Draws what a frame changes. */
  frame(clock: Clock): void {
    setText(this.clock, clockText(clock.shown));
    setText(this.rate, clock.playing && clock.rate < clock.speed * 0.9 ? `now ${speedText(clock.rate)}` : "");
  }

  update(clock: Clock, snapshot: Snapshot, latest: Happening | null): void {
    setText(this.ticker, latest ? `${clockText(latest.at)}  ${latest.text}` : "");
    setAttribute(this.ticker, "data-kind", latest?.kind ?? null);
    this.drawPlay(clock.playing);
    if (document.activeElement !== this.slider || Math.abs(sliderToSpeed(Number(this.slider.value)) - clock.speed) > 0.001) {
      this.slider.value = String(speedToSlider(clock.speed));
    }
    setText(this.speedLabel, speedText(clock.speed));
    setAttribute(this.slider, "aria-valuetext", `${clock.speed} times`);
    this.follow.checked = clock.follow;
    const phones = snapshot.parties.filter(({ id }) => id.startsWith("device"));
    const state = phones.map(({ id, label }) => `${id} ${label}`).join();
    if (state !== this.phones) {
      this.phones = state;
      const before = this.device.value;
      this.device.replaceChildren(...phones.map(({ id, label }) => h("option", { value: id }, label)));
      if (phones.some(({ id }) => id === before)) this.device.value = before;
    }
  }

  setAutoplay(on: boolean): void {
    setAttribute(this.autoplay, "aria-pressed", String(on));
  }

  choose(device: PartyId): void {
    this.device.value = device;
  }

  complain(problem: string): void {
    setText(this.problem, problem);
  }

  private drawPlay(playing: boolean): void {
    if (this.playButton.dataset["playing"] === String(playing)) return;
    this.playButton.dataset["playing"] = String(playing);
    this.playButton.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.playButton.setAttribute("title", playing ? "Pause (space)" : "Play (space)");
    this.playButton.replaceChildren(drawing(playing ? PAUSE : PLAY));
  }

  private composer(): HTMLElement {
    const form = h(
      "form",
      { class: "compose-row", novalidate: true },
      this.device,
      this.text,
      h("button", { type: "submit" }, "Send"),
      this.autoplay,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.text.value.trim();
      const size = new TextEncoder().encode(text).length;
      if (text === "") this.complain("Write something first.");
      else if (size > TEXT_BYTES_MAX) this.complain(`A message has at most ${TEXT_BYTES_MAX} bytes; this one has ${size}.`);
      else {
        this.complain("");
        const device = this.device.value;
        if (isParty(device)) this.events.send(device, text);
        this.text.value = "";
      }
    });
    return form;
  }
}
