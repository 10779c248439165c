// What an envelope is about, by the protocol's name for it: four colours, so that the eye can follow one kind.

export type Kind = "message" | "notice" | "push" | "upkeep";

const WORDS: readonly (readonly [Kind, ReadonlySet<string>])[] = [
  ["message", new Set(["SEND", "MSG", "GET", "ACK", "SUB", "SUBS"])],
  ["notice", new Set(["NMSG", "NSUB", "NSUBS", "NKEY", "NID", "SNEW", "IDSUB"])],
  ["push", new Set(["push", "order", "outcome"])],
];

/** A block may hold several transmissions, as in `OK NMSG ×2`: the first word that is about something decides. */
export function kindOf(name: string): Kind {
  const words = name.split(" ");
  for (const [kind, known] of WORDS) if (words.some((word) => known.has(word))) return kind;
  return "upkeep";
}

export const KINDS: readonly { kind: Kind; label: string }[] = [
  { kind: "message", label: "messages" },
  { kind: "notice", label: "notices" },
  { kind: "push", label: "pushes" },
  { kind: "upkeep", label: "upkeep" },
];
