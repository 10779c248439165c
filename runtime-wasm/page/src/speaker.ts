// Says what happens to those who cannot see it, and no faster than can be listened to.

import type { Happening, Law } from "./contract.js";
import { setText } from "./dom.js";

/** Between two things said of the run, in real milliseconds. Ours: about one short sentence. */
const PAUSE_MS = 2500;

export class Speaker {
  private saidAt = -Infinity;
  private broken = "";

  constructor(
    private readonly polite: HTMLElement,
    private readonly alarm: HTMLElement,
  ) {}

  begin(): void {
    this.broken = "";
    setText(this.alarm, "");
  }

  say(text: string): void {
    this.saidAt = performance.now();
    setText(this.polite, text);
  }

  /** Of everything that happened, the last note is said, unless something was said just before. */
  hear(happenings: readonly Happening[], real: number): void {
    if (real - this.saidAt < PAUSE_MS) return;
    const note = happenings.findLast((each) => each.kind === "note");
    if (note) this.say(note.text);
  }

  judge(laws: readonly Law[]): void {
    const broken = laws
      .filter((law) => !law.holds)
      .map((law) => `${law.name}: ${law.text}`)
      .join(" ");
    if (broken === this.broken) return;
    this.broken = broken;
    setText(this.alarm, broken === "" ? "" : `A law is broken. ${broken}`);
  }
}
