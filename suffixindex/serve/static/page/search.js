/* The search box: an index, a phrase, a button; white space in the phrase is part of it. */

import { el } from "./dom.js";

export class SearchBox {
  /** `submit(text)` is called with what was typed; `withIndex` shows a choice of indexes. */
  constructor(app, submit, { withIndex = true } = {}) {
    this.app = app;
    this.input = el("input", {
      type: "search", id: "query", "aria-label": "Phrase", autocomplete: "off",
      autocapitalize: "off", spellcheck: "false", maxlength: "10000",
    });
    this.index = withIndex ? indexChoice(app, "Index", () => app.state.index, (index) => app.set({ index, ...asText(app.state, this.input.value) }, { push: true })) : null;
    this.element = el("form", {
      class: "search",
      role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        submit(this.input.value);
      },
    }, this.index, this.input, el("button", { type: "submit", class: "primary" }, "Search"));
  }

  /** Show the phrase of the state, as text. */
  fill(text) {
    if (this.input.value !== text) this.input.value = text;
    this.input.placeholder = idsOnly(this.app.info()) ? "Token ids: 12 34" : "A phrase, exactly as it is written";
    if (this.index) this.index.value = this.app.state.index;
  }

  focus() {
    this.input.focus();
    this.input.select();
  }
}

const NUMBERS = /^\s*\d+([\s,]+\d+)*\s*$/;

/** Whether an index knows no text, so that it is asked with ids. */
export const idsOnly = (info) => info.tokenizer.kind === "none";

/** The ids that were typed for an index that knows no text; else null. */
export const typedIds = (info, text) => (idsOnly(info) && NUMBERS.test(text) ? text.trim().split(/[\s,]+/).map(Number) : null);

/** What another index is asked: ids mean something else there, so their text is. */
const asText = (state, text) => ({ q: state.ids ? text : state.q, ids: null, where: null, by: "", doc: null, at: null, mark: null });

export function indexChoice(app, label, chosen, choose) {
  const select = el("select", { class: "index", "aria-label": label, onchange: () => choose(select.value) },
    ...[...app.infos.keys()].map((name) => el("option", { value: name }, name)));
  select.value = chosen();
  return select;
}
