// Keys for those who do not point. They are off where a key has another meaning: in fields, and on what a key presses.

export function bindKeys(keys: Readonly<Record<string, () => void>>): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const focused = event.target instanceof Element ? event.target : null;
    if (focused?.closest("input:not([type=checkbox]), select, textarea, [contenteditable]")) return;
    if (event.key === " " && focused?.closest("button, summary, a, input, [tabindex]")) return;
    const action = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
