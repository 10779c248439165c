// What the page and the bindings say to each other. The bindings are `ntf-runtime-wasm`; everything here is computed there.

export type PartyId = string;

export interface Options {
  /** An unsigned 64-bit number in decimal: a JavaScript number would round it. */
  seed: string;
  shape: "split" | "single";
  policy: "mutable" | "hidden-then-visible" | "visible-only";
  sealed: boolean;
  network: "wifi" | "carrier";
}

export type Deed =
  | { do: "send"; device: PartyId; text: string }
  | { do: "autoplay"; on: boolean }
  | { do: "kill" | "start"; party: PartyId }
  | { do: "cut" | "mend"; a: PartyId; b: PartyId }
  | { do: "slow"; a: PartyId; b: PartyId; ms: number }
  | { do: "drop-pushes"; on: boolean }
  | { do: "refuse-token"; device: PartyId }
  | { do: "flood"; device: PartyId }
  | { do: "hostile"; on: boolean }
  | { do: "open-app"; device: PartyId }
  | { do: "network"; network: "wifi" | "carrier" };

export interface Happening {
  /** Virtual milliseconds since the start of the run. */
  at: number;
  kind: "envelope" | "note" | "deed" | "law";
  id?: number;
  from?: PartyId;
  to?: PartyId;
  /** The protocol's own name: SEND, NMSG, push, GET, TNEW … */
  name?: string;
  arrives?: number;
  /** `held`: it waits where the way is cut. The same `id` again tells that something else became of it. */
  fate?: "arrives" | "lost" | "held";
  text: string;
}

export interface Party {
  id: PartyId;
  label: string;
  up: boolean;
  lines: string[];
  /** What the phone's screen shows. */
  notification?: string;
}

export type LinkState = "up" | "connecting" | "down" | "cut" | "slow";

export interface Link {
  a: PartyId;
  b: PartyId;
  state: LinkState;
}

export type MessageState =
  | "sent"
  | "held by server"
  | "noticed"
  | "pushed"
  | "merged"
  | "shown"
  | "read"
  | "lost-excused";

export interface Message {
  id: number;
  device: PartyId;
  text: string;
  state: MessageState;
  why?: string;
  at: number;
}

export interface Account {
  sent: number;
  read: number;
  shown: number;
  waiting: number;
  lost: number;
}

export interface Law {
  name: string;
  holds: boolean;
  text: string;
}

export interface Budget {
  device: PartyId;
  left: number;
  of: number;
  next_at?: number;
}

export interface Idle {
  device: PartyId;
  bytes_per_hour: number;
  wakeups_per_hour: number;
}

export interface Snapshot {
  now: number;
  parties: Party[];
  links: Link[];
  /** Bounded by the bindings, newest last. */
  messages: Message[];
  account: Account;
  laws: Law[];
  budget: Budget[];
  idle: Idle[];
}

export interface Known {
  title: string;
  text: string;
  /** Hexadecimal, bounded by the bindings. */
  bytes?: string;
  readable: boolean;
  children?: Known[];
}

export interface FactRow {
  fact: string;
  why: string;
  parties: Record<PartyId, "learned" | "not learned">;
  /** Where and when those who learned it did. */
  evidence?: Record<PartyId, string>;
}

export interface Stage {
  options(): Options;
  now(): number;
  run(until_ms: number, most: number): Happening[];
  step(): Happening[];
  act(deed: Deed): void;
  snapshot(): Snapshot;
  knows(party: PartyId): Known[];
  envelope(id: number): Known[];
  facts(): FactRow[];
  trace(): Uint8Array;
  trace_hash(): string;
  steps(): number;
  /** Gives the memory in WebAssembly back. */
  free(): void;
}

export interface StageClass {
  new (options: Options): Stage;
  replay(trace: Uint8Array): Stage;
}
