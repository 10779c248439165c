// From real time to virtual time.

import type { Happening } from "./contract.js";

export const SPEED_MIN = 1;
export const SPEED_MAX = 10_000;

/** How long an envelope is on its way for the eye, in milliseconds, while the clock follows envelopes. */
export const FLIGHT_MS = 850;

/** How long a deed is dwelt on while the clock follows, in real milliseconds: time to see what it does at once. */
const DWELL_MS = 1300;

/** A frame that took longer counts as this long: a tab that comes back does not leap. */
const FRAME_MAX_MS = 100;

export interface Flight {
  at: number;
  arrives: number;
}

/**
 * Virtual time runs `speed` times as fast as real time. While *following*, it slows down for as long as an envelope is
 * on its way, and dwells on deeds: a hop of 40 ms would otherwise be over before anybody sees it.
 */
export class Clock {
  speed = 60;
  playing = false;
  follow = true;
  /** Virtual milliseconds, with fractions: where the picture is. */
  shown = 0;
  /** Virtual milliseconds per real millisecond of the last frame. */
  rate = 0;

  private dwell = 0;

  reset(now: number): void {
    this.shown = now;
    this.rate = 0;
    this.dwell = 0;
  }

  /** Something was done: a follower does not leap away from it. */
  dwellOn(happenings: readonly Happening[]): void {
    if (happenings.some(({ kind }) => kind === "deed")) this.dwell = DWELL_MS;
  }

  /** The virtual time to be at after a frame of `elapsed` real milliseconds. */
  target(elapsed: number, flights: readonly Flight[]): number {
    let rate = this.speed;
    if (this.follow) {
      if (this.dwell > 0) rate = 1;
      this.dwell -= elapsed;
      for (const flight of flights) {
        if (flight.arrives > this.shown) rate = Math.min(rate, flightRate(flight));
      }
    }
    this.rate = rate;
    let target = this.shown + Math.min(elapsed, FRAME_MAX_MS) * rate;
    if (this.follow) {
      // The last envelope's arrival is where the slow stretch ends; the leap begins in the next frame.
      const last = flights.reduce((latest, flight) => Math.max(latest, flight.arrives), 0);
      if (last > this.shown && target > last) target = last;
    }
    return target;
  }
}

export function flightRate(flight: Flight): number {
  return Math.max(1, flight.arrives - flight.at) / FLIGHT_MS;
}

/** Signs of life and hellos: not worth slowing down for. */
const QUIET = new Set(["PING", "PONG", "hello", "welcome", "ping", "pong", "credits"]);

export function isFollowed({ kind, name }: Happening): boolean {
  return kind === "deed" || kind === "law" || (kind === "envelope" && !QUIET.has(name ?? ""));
}

export function sliderToSpeed(value: number): number {
  const speed = 10 ** value;
  // Whole numbers of two digits: 1, 1.5, 20, 340 …
  const unit = 10 ** (Math.floor(Math.log10(speed)) - 1);
  return Math.min(SPEED_MAX, Math.max(SPEED_MIN, Math.round(speed / unit) * unit));
}

export function speedToSlider(speed: number): number {
  return Math.log10(speed);
}
