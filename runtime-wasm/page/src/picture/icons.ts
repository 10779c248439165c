// Line drawings for the parties, 24 × 24. Drawn for this page.

import type { PartyId } from "../contract.js";
import { svg } from "../dom.js";

const PATHS: Record<string, string> = {
  person: "M12 12.2a4.1 4.1 0 1 0 0-8.2 4.1 4.1 0 0 0 0 8.2ZM4.5 20.5c.6-3.9 3.6-5.8 7.5-5.8s6.9 1.9 7.5 5.8",
  server: "M4 4.5h16v6H4zM4 13.5h16v6H4zM7.2 7.5h.1M7.2 16.5h.1M11 7.5h5.5M11 16.5h5.5",
  bell: "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.6 1.5H4.4zM10 20.5c.5.7 1.2 1 2 1s1.5-.3 2-1M12 5V3",
  push: "M12 3.5v11M7.5 8 12 3.5 16.5 8M4.5 13.5v5a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2v-5",
  cloud: "M7 18.5a4.5 4.5 0 0 1-.6-8.96A6 6 0 0 1 18 10.6a4 4 0 0 1-.5 7.9Z",
  mask: "M4 8.5c3-2 5.6-2 8 0 2.4-2 5-2 8 0 0 5-1.6 8-4 8-1.6 0-2.6-1-4-2.5-1.4 1.5-2.4 2.5-4 2.5-2.4 0-4-3-4-8ZM7.5 11.5h2M14.5 11.5h2",
};

const OF: Partial<Record<PartyId, string>> = {
  sender: "person",
  smp1: "server",
  smp2: "server",
  subscriber: "bell",
  push: "push",
  apple: "cloud",
  stranger: "mask",
};

export function icon(party: PartyId): SVGSVGElement {
  return drawing(PATHS[OF[party] ?? "server"] ?? "");
}

export function drawing(path: string): SVGSVGElement {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: path }));
}

export const PLAY = "M8 5.2v13.6L19 12Z";
export const PAUSE = "M8.2 5.5v13M15.8 5.5v13";
export const STEP = "M6.5 5.5v13L15 12ZM18 5.5v13";
