// Where the parties stand. Fractions of the picture's width and height, so that it fits any window.

import type { PartyId } from "../contract.js";

export interface Point {
  x: number;
  y: number;
}

/** Wide: a message travels from left to right and then down to the phones. */
const WIDE: Record<PartyId, Point> = {
  sender: { x: 0.07, y: 0.32 },
  smp1: { x: 0.27, y: 0.16 },
  smp2: { x: 0.275, y: 0.49 },
  subscriber: { x: 0.5, y: 0.2 },
  push: { x: 0.715, y: 0.2 },
  apple: { x: 0.93, y: 0.2 },
  deviceC: { x: 0.1, y: 0.79 },
  deviceA: { x: 0.5, y: 0.79 },
  deviceB: { x: 0.82, y: 0.79 },
  stranger: { x: 0.66, y: 0.47 },
};

/** Tall: down on the left to the servers, down on the right through the pushes, and the phones below. */
const TALL: Record<PartyId, Point> = {
  sender: { x: 0.3, y: 0.07 },
  smp1: { x: 0.15, y: 0.23 },
  smp2: { x: 0.47, y: 0.33 },
  subscriber: { x: 0.79, y: 0.12 },
  push: { x: 0.85, y: 0.35 },
  apple: { x: 0.85, y: 0.54 },
  deviceA: { x: 0.15, y: 0.8 },
  deviceB: { x: 0.5, y: 0.8 },
  deviceC: { x: 0.85, y: 0.8 },
  stranger: { x: 0.52, y: 0.53 },
};

export type Shape = "wide" | "tall";

export function shapeOf(width: number, height: number): Shape {
  return width >= height * 1.15 ? "wide" : "tall";
}

export function placeOf(id: PartyId, shape: Shape): Point {
  return (shape === "wide" ? WIDE : TALL)[id];
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
