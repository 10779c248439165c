// Which run this is: seed and options, links, traces.

import { seedProblem } from "../address.js";
import type { Options } from "../contract.js";
import { h, setText } from "../dom.js";
import { bytesText } from "../words.js";
import type { Panel, View } from "./panel.js";

export interface RunControls {
  begin(options: Options): void;
  copyLink(): Promise<void>;
  download(): void;
  open(file: File): void;
}

const CHOICES: { key: "shape" | "policy" | "network"; label: string; options: readonly (readonly [string, string])[] }[] = [
  {
    key: "shape",
    label: "Servers",
    options: [
      ["split", "Split in two"],
      ["single", "One process for both"],
    ],
  },
  {
    key: "policy",
    label: "Pushes",
    options: [
      ["mutable", "Mutable content"],
      ["hidden-then-visible", "Hidden, then visible"],
      ["visible-only", "Visible only"],
    ],
  },
  {
    key: "network",
    label: "Phones' network",
    options: [
      ["wifi", "Wi-Fi"],
      ["carrier", "Mobile carrier with NAT"],
    ],
  },
];

const KEYS: readonly (readonly [string, string])[] = [
  ["Space", "play or pause"],
  [".", "one event"],
  ["[ and ]", "slower, faster"],
  ["F", "follow envelopes"],
  ["1 – 8", "scenarios"],
  ["Esc", "select nothing"],
];

export class OptionsPanel implements Panel {
  readonly node: HTMLElement;
  private readonly seed = h("input", { id: "seed", inputmode: "numeric", autocomplete: "off", spellcheck: "false", "aria-describedby": "seed-problem" });
  private readonly seedProblem = h("p", { id: "seed-problem", class: "problem", role: "alert" });
  private readonly selects = new Map<string, HTMLSelectElement>();
  private readonly sealed = h("input", { id: "sealed", type: "checkbox", role: "switch" });
  private readonly steps = h("dd");
  private readonly hash = h("dd", { class: "hash" });
  private readonly taken = h("dd", { class: "memory" });
  private readonly command = h("code", { class: "command" });
  private readonly status = h("p", { class: "deed-status", role: "status" });
  private of: Options | null = null;

  constructor(
    private readonly memory: () => number,
    private readonly controls: RunControls,
  ) {
    const file = h("input", { id: "trace-file", type: "file", accept: ".trace,application/octet-stream", class: "for-readers" });
    file.addEventListener("change", () => {
      const chosen = file.files?.[0];
      if (chosen) controls.open(chosen);
      file.value = "";
    });
    this.node = h(
      "section",
      { class: "options" },
      h("h2", {}, "This run"),
      h("p", { class: "note" }, "Same seed, same options, same deeds: the same run, byte for byte."),
      this.form(),
      h(
        "fieldset",
        {},
        h("legend", {}, "Keep it"),
        h(
          "div",
          { class: "row" },
          h("button", { type: "button", on: { click: () => void controls.copyLink() } }, "Copy link"),
          h("button", { type: "button", on: { click: () => controls.download() } }, "Download trace"),
          h("button", { type: "button", on: { click: () => file.click() } }, "Open trace…"),
          h("label", { for: "trace-file", class: "for-readers" }, "Trace file"),
          file,
        ),
        this.status,
        h("p", { class: "note" }, "Replay it natively, with the same result:"),
        this.command,
        h("dl", { class: "facts-list" }, h("dt", {}, "Events so far"), this.steps, h("dt", {}, "Trace hash"), this.hash, h("dt", {}, "Memory taken"), this.taken),
      ),
      h(
        "fieldset",
        {},
        h("legend", {}, "Keys"),
        h("dl", { class: "facts-list keys" }, ...KEYS.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])),
      ),
    );
  }

  update({ run }: View): void {
    const options = run.options;
    setText(this.steps, run.stage.steps().toLocaleString("en"));
    setText(this.taken, bytesText(this.memory()));
    setText(this.hash, run.stage.trace_hash());
    setText(this.command, `ntf replay ${traceName(options)}`);
  }

  /** A run begins: shows its options. */
  begin(options: Options): void {
    this.of = options;
    this.seed.value = options.seed;
    for (const { key } of CHOICES) {
      const select = this.selects.get(key);
      if (select) select.value = options[key];
    }
    this.sealed.checked = options.sealed;
    setText(this.seedProblem, "");
    this.say("");
  }

  say(text: string): void {
    setText(this.status, text);
  }

  private form(): HTMLElement {
    const random = h("button", { type: "button" }, "New seed");
    random.addEventListener("click", () => {
      const [high, low] = crypto.getRandomValues(new Uint32Array(2));
      this.seed.value = ((BigInt(high ?? 0) << 32n) | BigInt(low ?? 0)).toString();
      this.submit();
    });
    const form = h(
      "form",
      { class: "run-form", novalidate: true },
      h("label", { class: "field", for: "seed" }, h("span", {}, "Seed"), this.seed),
      this.seedProblem,
      ...CHOICES.map(({ key, label, options }) => {
        const select = h("select", { id: `option-${key}` }, ...options.map(([value, text]) => h("option", { value }, text)));
        this.selects.set(key, select);
        return h("label", { class: "field", for: `option-${key}` }, h("span", {}, label), select);
      }),
      h("label", { class: "toggle" }, this.sealed, h("span", {}, "Device tokens are sealed")),
      h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Start this run"), random),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    return form;
  }

  private submit(): void {
    const seed = this.seed.value.trim();
    const problem = seedProblem(seed);
    setText(this.seedProblem, problem ? `${problem}.` : "");
    if (problem || !this.of) {
      this.seed.focus();
      return;
    }
    const options: Options = { ...this.of, seed: BigInt(seed).toString(), sealed: this.sealed.checked };
    const value = (key: string): string => this.selects.get(key)?.value ?? "";
    options.shape = value("shape") as Options["shape"];
    options.policy = value("policy") as Options["policy"];
    options.network = value("network") as Options["network"];
    this.controls.begin(options);
  }
}

export function traceName(options: Options): string {
  return `ntf-${options.seed}.trace`;
}
