import { App } from "./app.js";
import { element, setText } from "./dom.js";
import { loadMachines } from "./load.js";
import { bindScheme } from "./scheme.js";
import { sentence } from "./words.js";

bindScheme();
try {
  const app = new App(await loadMachines());
  document.body.dataset["state"] = "ready";
  app.start();
} catch (problem) {
  document.body.dataset["state"] = "failed";
  setText(element("#failure", HTMLElement), sentence(problem));
}
