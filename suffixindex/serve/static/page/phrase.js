/* Phrase mode: the count first, then every other panel by itself. */

import { ask } from "./api.js";
import { el, number, plural } from "./dom.js";
import { step } from "./keys.js";
import { Counts } from "./panels/counts.js";
import { Groups } from "./panels/groups.js";
import { Kwic } from "./panels/kwic.js";
import { Next } from "./panels/next.js";
import { Spellings } from "./panels/spellings.js";
import { Together } from "./panels/together.js";
import { idsOnly, SearchBox, typedIds } from "./search.js";
import { phraseOf } from "./state.js";
import { whereBar } from "./where.js";

const EXAMPLES = 6;

export class Phrase {
  constructor(app) {
    this.app = app;
    this.box = new SearchBox(app, (q) => this.search(q));
    this.where = el("div", { class: "restriction" });
    app.bar.append(this.box.element, this.where);
    this.empty = el("div", { class: "empty" });
    this.counts = new Counts(app);
    this.kwic = new Kwic(app);
    this.next = new Next(app);
    this.spellings = new Spellings(app);
    this.groups = new Groups(app);
    this.together = new Together(app);
    this.others = [this.spellings, this.next, this.groups, this.kwic, this.together];
    this.columns = el("div", { class: "columns" },
      el("div", { class: "wide" }, this.kwic.panel.element),
      el("div", { class: "side" }, this.next.panel.element, this.spellings.panel.element, this.groups.panel.element,
        this.together.panel.element));
    app.main.append(this.empty, this.counts.panel.element, this.columns);
  }

  search(q) {
    const { state } = this.app;
    // the text of ids, sent again as it is, is still those ids
    const same = state.ids !== null && q === this.shownIds;
    const ids = typedIds(this.app.info(), q);
    const asked = ids ? { ids, q: "" } : { q, ids: null };
    if (same || (q === state.q && !ids)) this.update(new Set(["q"]));
    else this.app.set({ ...asked, doc: null, at: null, mark: null }, { push: true });
  }

  update(changed) {
    const { state } = this.app;
    const any = (...names) => names.some((name) => changed.has(name));
    if (any("mode", "index", "where")) {
      this.where.replaceChildren(whereBar(this.app.info(), state.where, (where) => this.app.set({ where }, { push: true })));
    }
    if (any("mode", "index", "q", "ids", "where")) {
      this.ask();
      return;
    }
    if (!this.found) return;
    if (any("by", "unit")) this.groups.ask(this.found);
    if (any("by", "sort", "view", "width")) this.kwic.update(this.found, changed);
    if (any("near", "window")) this.together.ask(this.found);
  }

  /** Count; what is found is `{ngram, count, where}`, which the other panels ask about. */
  ask() {
    const { state } = this.app;
    const phrase = phraseOf(state);
    this.found = null;
    this.box.fill(state.ids ? "" : state.q);
    const blank = phrase.length === 0;
    this.empty.replaceChildren(...(blank ? examples(this.app) : []));
    if (blank) {
      this.counts.panel.hide();
      for (const other of this.others) other.panel.hide();
      return;
    }
    for (const other of this.others) other.panel.stale();
    this.counts.ask(phrase, (found) => {
      this.found = found;
      this.columns.classList.toggle("zero", found.count === 0);
      const text = idsOnly(this.app.info()) ? found.ngram.token_ids.join(" ") : found.ngram.text;
      this.shownIds = state.ids ? text : null;
      this.box.fill(text);
      for (const other of this.others) {
        if (other === this.spellings ? !idsOnly(this.app.info()) : found.count > 0) other.ask(found);
        else other.panel.hide();
      }
    }, () => {
      for (const other of this.others) other.panel.hide();
    });
  }

  focus() {
    this.box.focus();
  }

  step(by) {
    step(this.kwic.rows(), by);
  }

  bracket(by) {
    this.app.set({ sort: by < 0 ? "left" : "right" });
  }
}

/** What stands where nothing has been asked: what the index is, and phrases to begin with. */
function examples(app) {
  const info = app.info();
  const list = el("ul", { class: "examples" });
  const about = el("p", { class: "lead" },
    `${info.name}: ${plural(info.num_documents, "document")}, ${number(info.num_tokens)} tokens (${info.tokenizer.kind ?? "ids"}).`);
  const draw = async () => {
    for (let place = 0; place < EXAMPLES; place++) {
      const document_id = Math.floor(((place + 0.5) / EXAMPLES) * info.num_documents);
      const { token_ids: ids } = await ask(info.name, "document", { document_id, start: 0, stop: 8 });
      let phrase = ids.slice(Math.min(4, ids.length - 1)).slice(0, 1);
      for (let more = 0; more < 2 && phrase.length; more++) {
        const { tokens, separator } = await ask(info.name, "next_distribution", { context: phrase, top: 2 });
        const token = tokens.find((one) => one.token_id !== separator);
        if (token) phrase = [...phrase, token.token_id];
      }
      if (!list.isConnected) return;
      const { text } = await ask(info.name, "decode", { token_ids: phrase });
      if (!text.trim() || [...list.children].some((one) => one.textContent === text)) continue;
      list.append(el("li", {}, el("button", { type: "button", class: "example", onclick: () => app.set({ ids: phrase, q: "" }, { push: true }) }, text)));
    }
  };
  draw().catch(() => list.isConnected && list.replaceChildren(el("li", {}, "No examples: the documents cannot be read.")));
  return [
    el("h2", {}, "What does the corpus say, how often, and where?"), about,
    el("p", {}, "Type a phrase above. Or begin with one of these, taken from the corpus:"), list,
    el("p", { class: "hint" }, "Press ", el("kbd", {}, "/"), " to type, ", el("kbd", {}, "?"), " for all keys."),
  ];
}
