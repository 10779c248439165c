// What an envelope is about, by the protocol's name for it: four colours, so that the eye can follow one kind.

export type Kind = "message" | "notice" | "push" | "upkeep";

const MESSAGE = new Set(["SEND", "MSG", "GET", "ACK", "SUB", "SUBS"]);
const NOTICE = new Set(["NMSG", "NSUB", "NSUBS", "SNEW", "NKEY"]);
const PUSH = new Set(["push", "order", "POST", "alert", "outcome"]);

export function kindOf(name: string): Kind {
  const first = name.split(/[ ,+]/, 1)[0] ?? name;
  if (MESSAGE.has(first)) return "message";
  if (NOTICE.has(first)) return "notice";
  if (PUSH.has(first)) return "push";
  return "upkeep";
}

export const KINDS: readonly { kind: Kind; label: string }[] = [
  { kind: "message", label: "messages" },
  { kind: "notice", label: "notices" },
  { kind: "push", label: "pushes" },
  { kind: "upkeep", label: "upkeep" },
];
