// The page as a whole: one run, one clock, and a frame loop that carries time from one to the other.

import { DEFAULTS, formatAddress, parseAddress, type Address } from "./address.js";
import { Clock, isFollowed, sliderToSpeed, speedToSlider } from "./clock.js";
import type { Deed, FactRow, Happening, Snapshot } from "./contract.js";
import { element, setText } from "./dom.js";
import { bindKeys } from "./keys.js";
import type { Machines } from "./load.js";
import { BreakPanel } from "./panels/break.js";
import { EventsPanel } from "./panels/events.js";
import { Inspector } from "./panels/inspector.js";
import { LearnedPanel } from "./panels/learned.js";
import { MessagesPanel } from "./panels/messages.js";
import { OptionsPanel, traceName } from "./panels/options.js";
import type { Controls, Selection, View } from "./panels/panel.js";
import { Story } from "./panels/story.js";
import { Strip } from "./panels/strip.js";
import { Tabs } from "./panels/tabs.js";
import { Picture } from "./picture/picture.js";
import { Run } from "./run.js";
import { isCompared, SCENARIO_IDS, SCENARIOS, scenarioById, scenarioOptions } from "./scenarios.js";
import { Speaker } from "./speaker.js";
import { Transport } from "./transport.js";
import { sentence } from "./words.js";

/** Real milliseconds of a frame that the machines may take; the rest is for drawing. */
const WORK_MS = 9;

/** How often what stands in the page is written anew while time runs, in real milliseconds. */
const LOOK_MS = 120;

/** Who learned what is asked this often: the machines search bytes for it. */
const FACTS_MS = 500;

/** A single step is shown as a movement of this length, in real milliseconds. */
const STEP_MS = 500;

/** In which a scenario's beginning passes, in real milliseconds. */
const RUSH_MS = 900;

const STRANGER = "stranger";

/** The style sheet's word for one column. */
const NARROW = matchMedia("(max-width: 860px)");

const FIRST = "first-registration";

export class App {
  private run!: Run;
  private snapshot!: Snapshot;
  private facts: FactRow[] = [];
  private selection: Selection = null;
  private readonly clock = new Clock();
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");
  private readonly speaker = new Speaker(element("#said", HTMLElement), element("#alarm", HTMLElement));
  private readonly picture: Picture;
  private readonly transport: Transport;
  private readonly story: Story;
  private readonly strip = new Strip();
  private readonly breaking: BreakPanel;
  private readonly options: OptionsPanel;
  private readonly tabs: Tabs;
  private last = 0;
  private lookedAt = -Infinity;
  private factsAt = -Infinity;
  private dirty = true;
  private strangerSeen = false;
  /** What happened last, besides envelopes. */
  private latest: Happening | null = null;
  /** Virtual time up to which a scenario's beginning passes in a moment. */
  private rushUntil = 0;
  /** A step on display: from where, since when. */
  private stepping: { from: number; since: number } | null = null;

  constructor(private readonly machines: Machines) {
    const controls: Controls = {
      act: (deed, done) => this.act(deed, done),
      select: (selection) => this.select(selection),
    };
    this.breaking = new BreakPanel(controls);
    this.options = new OptionsPanel(machines.memory, {
      begin: (options) => this.begin({ options }, this.clock.playing),
      copyLink: () => this.copyLink(),
      download: () => this.download(),
      open: (file) => void this.open(file),
    });
    this.tabs = new Tabs(
      [
        { id: "learned", label: "Learned", panel: new LearnedPanel(controls) },
        { id: "bytes", label: "Bytes", panel: new Inspector(controls) },
        { id: "messages", label: "Messages", panel: new MessagesPanel() },
        { id: "events", label: "Events", panel: new EventsPanel(controls) },
        { id: "break", label: "Break it", panel: this.breaking },
        { id: "run", label: "Run", panel: this.options },
      ],
      () => this.look(),
    );
    this.story = new Story(
      (id) => this.beginScenario(id),
      () => this.compare(),
    );
    this.picture = new Picture(
      element("#picture", HTMLElement),
      {
        party: (party) => this.select({ kind: "party", party }),
        envelope: (id) => this.select({ kind: "envelope", id }),
        link: (a, b) => {
          this.tabs.open("break");
          this.breaking.chooseLink(a, b);
        },
      },
      () => this.still.matches,
    );
    this.transport = new Transport({
      play: (playing) => this.play(playing),
      step: () => this.step(),
      speed: (speed) => this.setSpeed(speed),
      follow: (on) => this.setFollow(on),
      send: (device, text) => this.act({ do: "send", device, text }, "Sent."),
      autoplay: (on) => this.autoplay(on),
    });
    element("#scenarios", HTMLElement).replaceWith(this.story.chips);
    element("#story", HTMLElement).replaceWith(this.story.caption);
    element("#transport", HTMLElement).replaceWith(this.transport.node);
    element("#side", HTMLElement).replaceWith(this.tabs.node);
    element("#strip", HTMLElement).replaceWith(this.strip.node);
    element("#problem-close", HTMLButtonElement).addEventListener("click", () => this.complain(""));
    this.bind();
  }

  start(): void {
    this.beginFromAddress();
    requestAnimationFrame((real) => {
      this.last = real;
      this.frame(real);
      performance.mark("first-frame");
    });
  }

  /** Starts another run. Whatever is wrong with `address` becomes a sentence and a fresh town. */
  private begin(address: Address, playing: boolean): void {
    let next: Run;
    try {
      next = Run.begin(this.machines.stages, address);
      this.complain("");
    } catch (problem) {
      this.complain(`${sentence(problem)} Here is a fresh town in its place.`);
      next = Run.begin(this.machines.stages, { options: { ...DEFAULTS } });
    }
    if (this.run) this.run.end();
    this.run = next;
    this.clock.reset(next.now());
    this.clock.playing = playing;
    if (next.scenario) this.clock.speed = next.scenario.speed;
    this.rushUntil = next.scenario && !next.touched ? next.scenario.from : 0;
    this.strangerSeen = false;
    this.latest = null;
    this.stepping = null;
    this.selection = next.scenario ? { kind: "party", party: next.scenario.look } : null;
    this.picture.clear();
    this.picture.select(next.scenario?.look ?? null, null);
    this.transport.setAutoplay(false);
    this.transport.complain("");
    this.breaking.begin(next.options);
    this.options.begin(next.options);
    this.story.begin(next);
    this.speaker.begin();
    this.showAddress();
    this.factsAt = -Infinity;
    this.look();
  }

  private beginScenario(id: string): void {
    const scenario = scenarioById(id);
    if (!scenario) return;
    this.begin({ options: scenarioOptions(scenario, this.run.options.seed), scenario: id }, !this.still.matches);
    this.speaker.say(`${scenario.title}. ${scenario.story.join(" ")}`);
  }

  /** The same run, done the other way. */
  private compare(): void {
    const scenario = this.run.scenario;
    if (!scenario?.compare) return;
    const options = scenarioOptions(scenario, this.run.options.seed);
    if (!isCompared(scenario, this.run.options)) Object.assign(options, scenario.compare.options);
    this.begin({ options, scenario: scenario.id }, !this.still.matches);
  }

  private beginFromAddress(): void {
    const parsed = parseAddress(location.hash, SCENARIO_IDS);
    const playing = !this.still.matches;
    const first = { options: { ...DEFAULTS }, scenario: FIRST };
    if (parsed.ok) {
      this.begin(parsed.address ?? first, playing);
    } else {
      this.begin({ options: { ...DEFAULTS } }, playing);
      this.complain(`${parsed.problem} Here is a fresh town in its place.`);
    }
  }

  private frame(real: number): void {
    requestAnimationFrame((next) => this.frame(next));
    const elapsed = real - this.last;
    this.last = real;
    if (this.stepping) this.showStep(real);
    else if (this.clock.playing) this.pass(elapsed, real);
    this.picture.frame(this.clock.shown, real);
    this.transport.frame(this.clock);
    if (this.dirty && real - this.lookedAt >= LOOK_MS) this.look();
  }

  /** Lets virtual time pass for one frame. */
  private pass(elapsed: number, real: number): void {
    const before = this.clock.shown;
    const rush = before < this.rushUntil;
    const follow = this.clock.follow && !rush;
    const target = rush
      ? Math.min(this.rushUntil, before + (this.rushUntil / RUSH_MS) * Math.min(elapsed, RUSH_MS))
      : this.clock.target(elapsed, this.picture.flights(before));
    try {
      const advance = this.run.advance(target, WORK_MS, follow ? isFollowed : null);
      this.clock.shown = advance.arrived ? target : Math.max(before, this.run.now());
      if (!advance.arrived && !advance.stopped && elapsed > 0) this.clock.rate = (this.clock.shown - before) / elapsed;
      this.took(advance.happenings, real);
    } catch (problem) {
      this.transport.complain(sentence(problem));
    }
    this.dirty = true;
  }

  private step(): void {
    this.play(false);
    const from = this.clock.shown;
    try {
      this.took(this.run.step(), performance.now());
    } catch (problem) {
      this.transport.complain(sentence(problem));
    }
    if (this.still.matches) this.clock.shown = this.run.now();
    else this.stepping = { from, since: performance.now() };
    this.look();
  }

  private showStep(real: number): void {
    if (!this.stepping) return;
    const { from, since } = this.stepping;
    const part = Math.min(1, Math.max(0, real - since) / STEP_MS);
    this.clock.shown = from + (this.run.now() - from) * part;
    if (part === 1) this.stepping = null;
  }

  private took(happenings: readonly Happening[], real: number): void {
    this.picture.launch(happenings, real);
    this.speaker.hear(happenings, real);
    this.clock.dwellOn(happenings);
    this.latest = happenings.findLast(({ kind }) => kind !== "envelope") ?? this.latest;
    if (happenings.length > 0) this.dirty = true;
  }

  /** Writes into the page what the run has come to. */
  private look(): void {
    const real = performance.now();
    this.lookedAt = real;
    this.dirty = false;
    this.snapshot = this.withoutIdlers(this.run.snapshot());
    if (real - this.factsAt >= FACTS_MS || !this.clock.playing) {
      this.factsAt = real;
      this.facts = this.run.stage.facts();
    }
    const view: View = { run: this.run, snapshot: this.snapshot, facts: this.facts, selection: this.selection };
    this.picture.update(this.snapshot, this.facts);
    this.transport.frame(this.clock);
    this.transport.update(this.clock, this.snapshot, this.latest);
    this.strip.update(view);
    this.story.progress(this.run);
    this.tabs.panel.update(view);
    this.speaker.judge(this.snapshot.laws);
  }

  /** The stranger is on stage once it does something. */
  private withoutIdlers(snapshot: Snapshot): Snapshot {
    this.strangerSeen ||= snapshot.links.some(({ a, b, state }) => (a === STRANGER || b === STRANGER) && state !== "down");
    if (this.strangerSeen) return snapshot;
    return {
      ...snapshot,
      parties: snapshot.parties.filter(({ id }) => id !== STRANGER),
      links: snapshot.links.filter(({ a, b }) => a !== STRANGER && b !== STRANGER),
    };
  }

  private select(selection: Selection): void {
    this.selection = selection;
    this.picture.select(
      selection?.kind === "party" ? selection.party : null,
      selection?.kind === "envelope" ? selection.id : null,
    );
    if (selection?.kind === "party" && selection.party.startsWith("device")) this.transport.choose(selection.party);
    if (!selection) return this.look();
    this.tabs.open("bytes");
    // In one column the bytes are below the picture.
    if (NARROW.matches) this.tabs.node.scrollIntoView({ behavior: this.still.matches ? "auto" : "smooth" });
  }

  private act(deed: Deed, done: string): void {
    try {
      this.run.act(deed);
      this.breaking.say(done);
      this.speaker.say(done);
      this.transport.complain("");
      this.showAddress();
    } catch (problem) {
      const text = sentence(problem);
      this.breaking.say(text);
      this.transport.complain(text);
    }
    this.took(this.run.advance(this.run.now(), WORK_MS, null).happenings, performance.now());
    this.look();
  }

  private autoplay(on: boolean): void {
    this.act({ do: "autoplay", on }, on ? "The town chats by itself." : "The town is quiet.");
    this.transport.setAutoplay(on);
    if (on) this.play(true);
  }

  private play(playing: boolean): void {
    this.clock.playing = playing;
    if (playing) this.stepping = null;
    this.look();
  }

  private setSpeed(speed: number): void {
    this.clock.speed = speed;
    this.look();
  }

  private setFollow(on: boolean): void {
    this.clock.follow = on;
    this.look();
  }

  private currentAddress(): Address {
    const address: Address = { options: this.run.options };
    if (this.run.scenario) address.scenario = this.run.scenario.id;
    if (this.run.touched) address.trace = this.run.stage.trace();
    return address;
  }

  private showAddress(): void {
    history.replaceState(null, "", formatAddress(this.currentAddress()));
  }

  private async copyLink(): Promise<void> {
    this.showAddress();
    try {
      await navigator.clipboard.writeText(location.href);
      this.options.say("The link is copied. It replays this run.");
    } catch {
      this.options.say("The browser does not let this page copy. The link is in the address bar.");
    }
  }

  private download(): void {
    const trace = this.run.stage.trace();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([trace.slice().buffer], { type: "application/octet-stream" }));
    link.download = traceName(this.run.options);
    link.click();
    // The download has begun by the next turn of the event loop and holds the data itself.
    setTimeout(() => URL.revokeObjectURL(link.href), 0);
    this.options.say(`${link.download} holds ${trace.length} bytes.`);
  }

  private async open(file: File): Promise<void> {
    const trace = new Uint8Array(await file.arrayBuffer());
    this.begin({ options: { ...DEFAULTS }, trace }, !this.still.matches);
  }

  private complain(problem: string): void {
    setText(element("#problem-text", HTMLElement), problem);
    element("#problem", HTMLElement).hidden = problem === "";
  }

  private bind(): void {
    addEventListener("hashchange", () => this.beginFromAddress());
    document.addEventListener("visibilitychange", () => {
      this.last = performance.now();
    });
    bindKeys({
      " ": () => this.play(!this.clock.playing),
      ".": () => this.step(),
      "[": () => this.setSpeed(sliderToSpeed(Math.max(0, speedToSlider(this.clock.speed) - 0.25))),
      "]": () => this.setSpeed(sliderToSpeed(Math.min(4, speedToSlider(this.clock.speed) + 0.25))),
      f: () => this.setFollow(!this.clock.follow),
      Escape: () => this.select(null),
      ...Object.fromEntries(SCENARIOS.map(({ id }, index) => [String(index + 1), () => this.beginScenario(id)])),
    });
  }
}

