/* The search box: an index, a phrase, a button; white space in the phrase is part of it. */

import { el } from "./dom.js";

export class SearchBox {
  /** `submit(text)` is called with what was typed; `withIndex` shows a choice of indexes. */
  constructor(app, submit, { withIndex = true } = {}) {
    this.app = app;
    this.input = el("input", {
      type: "search", id: "query", "aria-label": "Phrase", placeholder: "A phrase, exactly as it is written", autocomplete: "off",
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
    if (this.index) this.index.value = this.app.state.index;
  }

  focus() {
    this.input.focus();
    this.input.select();
  }
}

/** What another index is asked: ids mean something else there, so their text is. */
const asText = (state, text) => ({ q: state.ids ? text : state.q, ids: null, where: null, by: "", doc: null, at: null, mark: null });

export function indexChoice(app, label, chosen, choose) {
  const select = el("select", { class: "index", "aria-label": label, onchange: () => choose(select.value) },
    ...[...app.infos.keys()].map((name) => el("option", { value: name }, name)));
  select.value = chosen();
  return select;
}
