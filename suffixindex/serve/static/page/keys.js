/* Keys: the list, its dialog, and what is done where nothing is being typed. */

import { el } from "./dom.js";

const KEYS = [
  ["/", "go to the search box"],
  ["Enter", "search; on a line, open its document"],
  ["j  k", "next, previous line or span"],
  ["[  ]", "sort lines by the word before, after; spans: shorter, longer ones"],
  ["?", "this list"],
  ["Esc", "close, or leave the search box"],
];

export const listKeys = () => el("table", { class: "keys" },
  el("thead", { class: "said" }, el("tr", {}, el("th", { scope: "col" }, "Key"), el("th", { scope: "col" }, "What it does"))),
  el("tbody", {}, ...KEYS.map(([keys, meaning]) => el("tr", {},
    el("th", { scope: "row" }, ...keys.split("  ").flatMap((key) => [el("kbd", {}, key), " "])), el("td", {}, meaning)))));

export function showHelp() {
  const dialog = document.getElementById("help");
  dialog.replaceChildren(
    el("header", {}, el("h2", { id: "help-title" }, "Keys"),
      el("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×")),
    listKeys());
  if (!dialog.open) dialog.showModal();
}

const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");

/** `mode()` is the mode that is shown: it may have `focus()`, `step(by)`, `bracket(by)`. */
export function listen(mode) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && typing(event.target)) {
      event.target.blur();
      return;
    }
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    const acts = {
      "/": () => mode().focus(),
      "?": showHelp,
      j: () => mode().step?.(1),
      k: () => mode().step?.(-1),
      "[": () => mode().bracket?.(-1),
      "]": () => mode().bracket?.(1),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  });
}

/** Move the focus among some elements, from the one that has it, or to the first. */
export function step(elements, by) {
  const at = elements.indexOf(document.activeElement);
  const next = elements[at < 0 ? 0 : Math.max(0, Math.min(elements.length - 1, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
