// Light or dark: as the system says, until the reader says otherwise.

import { element } from "./dom.js";

export function bindScheme(): void {
  const button = element("#scheme", HTMLButtonElement);
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = (): boolean => {
    const chosen = document.documentElement.dataset["scheme"];
    return chosen ? chosen === "dark" : system.matches;
  };
  const name = (): void => button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
  button.addEventListener("click", () => {
    document.documentElement.dataset["scheme"] = isDark() ? "light" : "dark";
    name();
  });
  system.addEventListener("change", name);
  name();
}
