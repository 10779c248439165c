// Where the parties stand. Fractions of the picture's width and height, so that it fits any window.

import type { PartyId } from "../contract.js";

export interface Point {
  x: number;
  y: number;
}

/** Wide: a message travels from left to right and then down to the phones. */
const WIDE: Record<PartyId, Point> = {
  sender: { x: 0.075, y: 0.3 },
  smp1: { x: 0.28, y: 0.14 },
  smp2: { x: 0.28, y: 0.47 },
  subscriber: { x: 0.5, y: 0.3 },
  push: { x: 0.72, y: 0.3 },
  apple: { x: 0.92, y: 0.3 },
  deviceC: { x: 0.27, y: 0.83 },
  deviceA: { x: 0.55, y: 0.81 },
  deviceB: { x: 0.82, y: 0.81 },
  stranger: { x: 0.5, y: 0.07 },
};

/** Tall: from top to bottom, for a phone held upright. */
const TALL: Record<PartyId, Point> = {
  sender: { x: 0.15, y: 0.085 },
  smp1: { x: 0.5, y: 0.085 },
  smp2: { x: 0.85, y: 0.085 },
  subscriber: { x: 0.5, y: 0.335 },
  push: { x: 0.84, y: 0.335 },
  apple: { x: 0.84, y: 0.54 },
  deviceC: { x: 0.15, y: 0.83 },
  deviceA: { x: 0.5, y: 0.83 },
  deviceB: { x: 0.85, y: 0.83 },
  stranger: { x: 0.15, y: 0.335 },
};

export type Shape = "wide" | "tall";

export function shapeOf(width: number, height: number): Shape {
  return width >= height * 1.15 ? "wide" : "tall";
}

export function placeOf(id: PartyId, shape: Shape): Point {
  const places = shape === "wide" ? WIDE : TALL;
  return places[id] ?? { x: 0.5, y: 0.6 };
}

/** A stretch between the edges of two cards, moved aside a little so that both directions can be told apart. */
export interface Lane {
  from: Point;
  to: Point;
}

export interface Box extends Point {
  width: number;
  height: number;
}

/** Where the line from the middle of `box` towards `to` leaves the box. */
export function edge(box: Box, to: Point): Point {
  const dx = to.x - box.x;
  const dy = to.y - box.y;
  const across = dx === 0 ? Infinity : box.width / 2 / Math.abs(dx);
  const up = dy === 0 ? Infinity : box.height / 2 / Math.abs(dy);
  const part = Math.min(across, up, 1);
  return { x: box.x + dx * part, y: box.y + dy * part };
}

export function lane(from: Box, to: Box, aside: number): Lane {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.hypot(dx, dy) || 1;
  const shift = { x: (-dy / length) * aside, y: (dx / length) * aside };
  const start = edge(from, to);
  const end = edge(to, from);
  return {
    from: { x: start.x + shift.x, y: start.y + shift.y },
    to: { x: end.x + shift.x, y: end.y + shift.y },
  };
}
