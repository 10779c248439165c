// The address bar: which run this is. `#seed=…&shape=…&policy=…&sealed=…&network=…&scenario=…&run=…`, where `run` is
// a whole trace, added once the reader has done something that seed and scenario do not tell.

import type { Options } from "./contract.js";

/** What a link asks for. */
export interface Address {
  options: Options;
  scenario?: string;
  trace?: Uint8Array;
}

export type Parsed = { ok: true; address: Address | null } | { ok: false; problem: string };

/** Longest trace that goes into a link; a longer one has to be downloaded. Ours: 3000 characters pass through messengers. */
export const LINK_TRACE_BYTES_MAX = 2200;

const SHAPES = ["split", "single"] as const;
const POLICIES = ["mutable", "hidden-then-visible", "visible-only"] as const;
const NETWORKS = ["wifi", "carrier"] as const;
const KEYS = ["seed", "shape", "policy", "sealed", "network", "scenario", "run"];
const U64_MAX = (1n << 64n) - 1n;

export const DEFAULTS: Options = { seed: "2022", shape: "split", policy: "mutable", sealed: false, network: "wifi" };

export function seedProblem(seed: string): string | null {
  if (!/^[0-9]{1,20}$/.test(seed) || BigInt(seed) > U64_MAX) {
    return `The seed has to be a whole number from 0 to ${U64_MAX}`;
  }
  return null;
}

/** Reads a fragment. `null` for an empty one: the page's own beginning. */
export function parseAddress(fragment: string, scenarios: readonly string[]): Parsed {
  const text = fragment.replace(/^#/, "");
  if (text === "") return { ok: true, address: null };
  const fields = new URLSearchParams(text);
  for (const key of fields.keys()) {
    if (!KEYS.includes(key)) return bad(`This link has a field that no run has: “${key.slice(0, 40)}”`);
  }
  const options: Options = { ...DEFAULTS };
  const seed = fields.get("seed");
  if (seed !== null) {
    const problem = seedProblem(seed);
    if (problem) return bad(`The seed in this link is none. ${problem}`);
    options.seed = BigInt(seed).toString();
  }
  const shape = choice(fields, "shape", SHAPES);
  const policy = choice(fields, "policy", POLICIES);
  const network = choice(fields, "network", NETWORKS);
  const sealed = choice(fields, "sealed", ["true", "false"] as const);
  for (const field of [shape, policy, network, sealed]) {
    if (field && "problem" in field) return bad(field.problem);
  }
  if (shape && "value" in shape) options.shape = shape.value;
  if (policy && "value" in policy) options.policy = policy.value;
  if (network && "value" in network) options.network = network.value;
  if (sealed && "value" in sealed) options.sealed = sealed.value === "true";

  const address: Address = { options };
  const scenario = fields.get("scenario");
  if (scenario !== null) {
    if (!scenarios.includes(scenario)) {
      return bad(`This link names a scenario that this page does not have: “${scenario.slice(0, 40)}”`);
    }
    address.scenario = scenario;
  }
  const run = fields.get("run");
  if (run !== null) {
    const trace = fromBase64(run);
    if (!trace) return bad("The recorded run in this link is damaged: it is not base64url");
    address.trace = trace;
  }
  return { ok: true, address };
}

export function formatAddress(address: Address): string {
  const { options } = address;
  const fields = new URLSearchParams({
    seed: options.seed,
    shape: options.shape,
    policy: options.policy,
    sealed: String(options.sealed),
    network: options.network,
  });
  if (address.scenario) fields.set("scenario", address.scenario);
  if (address.trace && address.trace.length <= LINK_TRACE_BYTES_MAX) fields.set("run", toBase64(address.trace));
  return `#${fields.toString()}`;
}

function bad(problem: string): Parsed {
  return { ok: false, problem: `${problem}.` };
}

function choice<T extends string>(
  fields: URLSearchParams,
  key: string,
  allowed: readonly T[],
): { value: T } | { problem: string } | null {
  const given = fields.get(key);
  if (given === null) return null;
  const value = allowed.find((each) => each === given);
  if (value === undefined) {
    return { problem: `This link says ${key}=“${given.slice(0, 40)}”, which is none of ${allowed.join(", ")}` };
  }
  return { value };
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function fromBase64(text: string): Uint8Array | null {
  if (text === "" || !/^[A-Za-z0-9_-]+$/.test(text)) return null;
  try {
    const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
