// Each message: where it is, and why.

import type { Message } from "../contract.js";
import { h, List, setAttribute, setText, type Row } from "../dom.js";
import { clockText, partyName } from "../words.js";
import type { Panel, View } from "./panel.js";

export class MessagesPanel implements Panel {
  readonly node: HTMLElement;
  private readonly empty = h(
    "p",
    { class: "empty" },
    "No message yet. Write one below the picture, or let the town chat with “Autoplay”.",
  );
  private readonly list = h("ol", { class: "messages", "aria-label": "Messages, newest first" });
  private readonly rows = new List<Message>(this.list, (message) => String(message.id), makeRow);

  constructor() {
    this.node = h("section", {}, h("h2", {}, "Messages"), this.empty, this.list);
  }

  update({ snapshot }: View): void {
    this.empty.hidden = snapshot.messages.length > 0;
    this.rows.update([...snapshot.messages].reverse());
  }
}

function makeRow(first: Message): Row<Message> {
  const state = h("span", { class: "state" });
  const why = h("p", { class: "why" });
  const node = h(
    "li",
    { class: "message" },
    h("p", { class: "message-text" }, first.text),
    h("p", { class: "message-meta" }, `to ${partyName(first.device)} at ${clockText(first.at)} `, state),
    why,
  );
  const update = (message: Message): void => {
    setText(state, message.state === "lost-excused" ? "excused" : message.state);
    setAttribute(state, "data-state", message.state);
    setText(why, message.why ?? "");
    why.hidden = !message.why;
  };
  return { node, update };
}
