// Scenarios: what to set up, what to do when, and three sentences on what to look at. What happens then is up to the machines.

import { DEFAULTS } from "./address.js";
import type { Deed, Options, PartyId } from "./contract.js";

export interface Scenario {
  id: string;
  title: string;
  /** For the row of all scenarios. */
  short: string;
  /** Exactly three sentences. */
  story: readonly [string, string, string];
  options: Partial<Options>;
  /** The other way to do it, and what to call the one way and the other: one press starts the same run that way. */
  compare?: { options: Partial<Options>; there: string; back: string };
  /** At virtual milliseconds from the start, in order. */
  deeds: readonly { at: number; deed: Deed }[];
  /** Until when everything passes in a moment: what comes before is known from the first scenario. */
  from: number;
  /** When its point has been made, in virtual milliseconds. */
  end: number;
  /** How fast the quiet stretches pass. */
  speed: number;
  /** Whose knowledge is worth a look. */
  look: PartyId;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const SCENARIOS: readonly Scenario[] = [
  {
    id: "first-registration",
    title: "First registration",
    short: "Registration",
    story: [
      "A phone registers its device token with the subscriber (TNEW) and has to prove that it receives what is pushed there: the code comes as a push.",
      "Then it names its queues one by one (SNEW), by addresses that serve for notifications only, and the subscriber watches them (NSUB).",
      "Nobody but the phone now knows both the device token and where its messages lie.",
    ],
    options: {},
    deeds: [],
    from: 0,
    end: 1.1 * SECOND,
    speed: 20,
    look: "subscriber",
  },
  {
    id: "locked-phone",
    title: "Message to a locked phone",
    short: "Locked phone",
    story: [
      "A message is stored at an SMP server, which tells the subscriber no more than which queue has one (NMSG).",
      "The subscriber encrypts this notice for the phone, and push server and Apple carry ciphertext of one length.",
      "The phone opens it, fetches the message itself (GET), and shows it on its locked screen.",
    ],
    options: {},
    deeds: [{ at: 30 * SECOND, deed: { do: "send", device: "deviceA", text: "Dinner at eight?" } }],
    from: 29 * SECOND,
    end: 60 * SECOND,
    speed: 60,
    look: "apple",
  },
  {
    id: "budget",
    title: "Budget and fallback",
    short: "Budget",
    story: [
      "Apple grants an app two or three hidden pushes an hour, so a flood cannot wake the phone each time.",
      "Notices that come while the budget is used up merge: one per queue, the newest, waits.",
      "Then a single visible alert says that there is something new, and the phone fetches everything when its app is opened.",
    ],
    options: { policy: "hidden-then-visible" },
    deeds: [
      { at: 30 * SECOND, deed: { do: "flood", device: "deviceA" } },
      { at: 20 * MINUTE, deed: { do: "open-app", device: "deviceA" } },
    ],
    from: 29 * SECOND,
    end: 30 * MINUTE,
    speed: 600,
    look: "deviceA",
  },
  {
    id: "restart",
    title: "Restart and recovery",
    short: "Restart",
    story: [
      "The subscriber is killed and started again: tokens and subscriptions lived in its memory only, and are gone.",
      "The phones notice at their next check, register again and name their queues again.",
      "What was sent in between was kept by the SMP servers, and arrives.",
    ],
    options: {},
    deeds: [
      { at: 30 * SECOND, deed: { do: "kill", party: "subscriber" } },
      { at: 40 * SECOND, deed: { do: "send", device: "deviceA", text: "Are you there?" } },
      { at: 60 * SECOND, deed: { do: "start", party: "subscriber" } },
    ],
    from: 29 * SECOND,
    end: 60 * MINUTE,
    speed: 600,
    look: "subscriber",
  },
  {
    id: "split-single",
    title: "Split versus single server",
    short: "Split or single",
    story: [
      "Here one process is both subscriber and push server, as in the reference: whoever runs it knows device tokens and queues.",
      "Look at the subscriber's column in the table, then press “Show it split”, and look again.",
      "Split, the party that knows the queues need not be the one that holds Apple's key.",
    ],
    options: { shape: "single" },
    compare: { options: { shape: "split" }, there: "Show it split", back: "Show it as one server" },
    deeds: [{ at: 30 * SECOND, deed: { do: "send", device: "deviceA", text: "One server saw it all." } }],
    from: 29 * SECOND,
    end: 60 * SECOND,
    speed: 60,
    look: "subscriber",
  },
  {
    id: "sealed",
    title: "Sealed token",
    short: "Sealed token",
    story: [
      "The phone encrypts its device token for the push server before it registers.",
      "The subscriber keeps a blob that it cannot read and hands it on with every order.",
      "So the one identifier in the system is known to the push server and Apple, who know nothing of queues.",
    ],
    options: { sealed: true },
    compare: { options: { sealed: false }, there: "Show it unsealed", back: "Show it sealed" },
    deeds: [{ at: 30 * SECOND, deed: { do: "send", device: "deviceA", text: "Sealed and delivered." } }],
    from: 29 * SECOND,
    end: 60 * SECOND,
    speed: 60,
    look: "subscriber",
  },
  {
    id: "android",
    title: "Android direct mode",
    short: "Android direct",
    story: [
      "This phone may keep a connection open, so it needs no push, no device token and no subscriber.",
      "It subscribes at its SMP servers itself (SUB) and gets each message as it comes (MSG).",
      "The price is an open connection: see what an idle hour costs in bytes and wake-ups.",
    ],
    options: {},
    deeds: [{ at: 30 * SECOND, deed: { do: "send", device: "deviceC", text: "Straight to you." } }],
    from: 29 * SECOND,
    end: 60 * SECOND,
    speed: 60,
    look: "deviceC",
  },
  {
    id: "carrier",
    title: "Carrier NAT",
    short: "Carrier NAT",
    story: [
      "A mobile carrier forgets silent connections after some minutes and tells nobody.",
      "The direct phone learns on a second connection, the scout, how long it may be silent, and lets TCP ask only that often.",
      "The message that comes after a quiet hour still finds its way.",
    ],
    options: { network: "carrier" },
    deeds: [{ at: 60 * MINUTE, deed: { do: "send", device: "deviceC", text: "Still with me?" } }],
    from: 59 * MINUTE,
    end: 61 * MINUTE,
    speed: 600,
    look: "deviceC",
  },
];

export const SCENARIO_IDS: readonly string[] = SCENARIOS.map((scenario) => scenario.id);

export function scenarioById(id: string): Scenario | null {
  return SCENARIOS.find((scenario) => scenario.id === id) ?? null;
}

export function scenarioOptions(scenario: Scenario, seed: string): Options {
  return { ...DEFAULTS, ...scenario.options, seed };
}

/** Whether a run with `options` is the other way to do a scenario. */
export function isCompared(scenario: Scenario, options: Options): boolean {
  const other = Object.entries(scenario.compare?.options ?? {}) as [keyof Options, unknown][];
  return other.length > 0 && other.every(([key, value]) => options[key] === value);
}
