// How the page names things and writes numbers.

import type { PartyId } from "./contract.js";

const SHORT: Record<PartyId, string> = {
  sender: "Sender",
  smp1: "SMP 1",
  smp2: "SMP 2",
  subscriber: "Subscriber",
  push: "Push server",
  apple: "Apple",
  deviceA: "iPhone A",
  deviceB: "iPhone B",
  deviceC: "Android C",
  stranger: "Stranger",
};

export function isParty(text: string | undefined): text is PartyId {
  return text !== undefined && Object.hasOwn(SHORT, text);
}

export function partyName(id: PartyId): string {
  return SHORT[id];
}

/** A virtual time as days, hours, minutes, seconds and milliseconds: `1 d 02:03:04.567`. */
export function clockText(ms: number): string {
  const whole = Math.max(0, Math.floor(ms));
  const pad = (value: number, digits: number): string => String(value).padStart(digits, "0");
  const days = Math.floor(whole / 86_400_000);
  const hours = Math.floor(whole / 3_600_000) % 24;
  const minutes = Math.floor(whole / 60_000) % 60;
  const seconds = Math.floor(whole / 1000) % 60;
  const time = `${pad(hours, 2)}:${pad(minutes, 2)}:${pad(seconds, 2)}.${pad(whole % 1000, 3)}`;
  return days > 0 ? `${days} d ${time}` : time;
}

/** How long, for people: `350 ms`, `12 s`, `5 min`, `2 h`. */
export function spanText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function speedText(speed: number): string {
  if (speed >= 10) return `${Math.round(speed).toLocaleString("en")}×`;
  if (speed >= 1) return `${speed.toFixed(1).replace(/\.0$/, "")}×`;
  return `1/${Math.round(1 / speed)}×`;
}

/** With a capital at its beginning, unless it is written as iPhone is. */
export function capital(text: string): string {
  return /^[a-z][A-Z]/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}

/** What a thrown value has to say. */
export function sentence(problem: unknown): string {
  const text = capital(problem instanceof Error ? problem.message : String(problem));
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
