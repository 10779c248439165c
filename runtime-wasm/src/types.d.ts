/** Somebody on the stage. */
export type PartyId =
  | "sender" | "smp1" | "smp2" | "subscriber" | "push" | "apple" | "deviceA" | "deviceB" | "deviceC" | "stranger";

/** What a run begins with. */
export interface Options {
  /** An unsigned 64-bit number in decimal: a JavaScript number would round it. */
  seed: string;
  shape: "split" | "single";
  policy: "mutable" | "hidden-then-visible" | "visible-only";
  /** Only with the shape "split". */
  sealed: boolean;
  network: "wifi" | "carrier";
}

/** What is done to the stage. */
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

/** Something that happened. Times are virtual milliseconds since the start of the run. */
export interface Happening {
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

/** The stage at one moment. */
export interface Snapshot {
  now: number;
  parties: { id: PartyId; label: string; up: boolean; lines: string[]; notification?: string }[];
  links: { a: PartyId; b: PartyId; state: "up" | "connecting" | "down" | "cut" | "slow" }[];
  /** The latest ones, newest last. */
  messages: {
    id: number;
    device: PartyId;
    text: string;
    state: "sent" | "held by server" | "noticed" | "pushed" | "merged" | "shown" | "read" | "lost-excused";
    why?: string;
    at: number;
  }[];
  account: { sent: number; read: number; shown: number; waiting: number; lost: number };
  laws: { name: string; holds: boolean; text: string }[];
  budget: { device: PartyId; left: number; of: number; next_at?: number }[];
  idle: { device: PartyId; bytes_per_hour: number; wakeups_per_hour: number }[];
}

/** Something that a party has, with what is in it. */
export interface Known {
  title: string;
  text: string;
  /** Hexadecimal, the first 256 bytes. */
  bytes?: string;
  readable: boolean;
  children?: Known[];
}

/** Who learned one thing, and where. */
export interface FactRow {
  fact: string;
  why: string;
  parties: Record<PartyId, "learned" | "not learned">;
  evidence: Partial<Record<PartyId, string>>;
}

/** What TLS learned of a connection. */
export interface Transport {
  /** The client's Finished value, hexadecimal. */
  session_id: string;
  /** The server's certificates as DER, hexadecimal, leaf first. */
  peer_chain: string[];
}

/** What a device asks of the page that embeds it. Bytes are hexadecimal. */
export type DeviceEffect =
  | { do: "connect"; link: number; protocol: "smp" | "ntf"; hosts: string[]; port: string; identity: string }
  | { do: "send"; link: number; block: string }
  | { do: "close"; link: number }
  | { do: "tell"; event: DeviceEvent }
  | { do: "wait"; until?: number };

/** What a device tells the application. */
export type DeviceEvent =
  | { event: "token"; status: string }
  | { event: "queue"; tag: number; queue: number; address: string }
  | { event: "subscription"; queue: number; status: string }
  | { event: "sent"; tag: number }
  | { event: "message"; queue: number; sent_at: number; text: string }
  | { event: "failed"; tag?: number; why: string }
  | { event: "other"; text: string };
