// What the page and the machines say to each other: the types come with the bindings, and these are names for their parts.

import type { Happening, Snapshot, Stage } from "../pkg/ntf_runtime_wasm.js";

export type { Deed, FactRow, Happening, Known, Options, PartyId, Snapshot, Stage } from "../pkg/ntf_runtime_wasm.js";

export type StageClass = typeof Stage;
export type Party = Snapshot["parties"][number];
export type Link = Snapshot["links"][number];
export type Message = Snapshot["messages"][number];
export type Account = Snapshot["account"];
export type Law = Snapshot["laws"][number];
export type Fate = NonNullable<Happening["fate"]>;
