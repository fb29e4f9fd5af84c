/* The phrase in other spellings, whether its ends are cut as the corpus cuts them, and, of what never occurs, the parts that do. */

import { ask } from "../api.js";
import { el, number, plural, visible } from "../dom.js";
import { Panel } from "../panel.js";

export class Spellings {
  constructor(app) {
    this.app = app;
    this.panel = new Panel("spellings", "Spellings");
  }

  ask({ index, where, ngram, count }) {
    const body = { text: ngram.text, where };
    this.panel.load(
      async (signal) => {
        const parts = count === 0 && ngram.token_ids.length > 1;
        const [variants, boundary, spans] = await Promise.all([
          ask(index, "count_variants", body, signal),
          ask(index, "boundary_warning", { text: ngram.text }, signal),
          parts && !where ? ask(index, "spans", { text: ngram.token_ids, min_length: 1, limit: 0 }, signal) : null,
        ]);
        return { ...variants, ...boundary, spans };
      },
      (answer) => {
        this.panel.offer({ questions: [{ index, question: "count_variants", body }], answer, rows: () =>
          answer.variants.map((one) => ({ ...one, token_ids: one.token_ids.join(" ") })) });
        this.show(ngram, answer, count);
      });
  }

  show(ngram, answer, count) {
    const own = ngram.token_ids.join();
    const choose = (ids, text) => () => this.app.set(text === null ? { ids, q: "" } : { ids: null, q: text }, { push: true });
    const found = answer.variants.filter((one) => one.count > 0 || one.token_ids.join() === own);
    const none = answer.variants.length - found.length;
    if (answer.warning) this.panel.body.append(el("p", { class: "warning", role: "note" }, answer.warning));
    if (count === 0) {
      this.panel.body.append(el("p", { class: "none" }, found.some((one) => one.count) ? "It occurs in other spellings:" : "It occurs in no spelling."));
    }
    if (count !== 0 || found.some((one) => one.count)) {
      this.panel.body.append(el("table", { class: "ranks" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Spelling"), el("th", { scope: "col", class: "num" }, "Count"), el("th", { scope: "col", class: "num" }, "Documents"))),
        el("tbody", {}, ...found.map((one) => {
          const current = one.token_ids.join() === own;
          const label = visible(one.text);
          return el("tr", { class: current ? "current" : null },
            el("th", { scope: "row" }, current ? el("bdi", { title: "asked for", "aria-current": "true" }, label)
              : el("button", { type: "button", class: "extend", onclick: choose(null, one.text) }, el("bdi", {}, label))),
            el("td", { class: "num" }, number(one.count)), el("td", { class: "num" }, number(one.num_documents)));
        })),
        answer.variants.length > 1 ? el("tfoot", {}, el("tr", {}, el("th", { scope: "row" }, "any of them"),
          el("td", { class: "num" }, number(answer.count)), el("td", { class: "num" }, number(answer.num_documents)))) : null));
      this.panel.tell(none ? `${plural(none, "other")} without occurrence` : "");
    }
    const parts = (answer.spans?.spans ?? []).toSorted((a, b) => b.stop - b.start - (a.stop - a.start));
    if (parts.length) {
      this.panel.body.append(el("p", {}, "Parts that occur:"), el("ul", { class: "examples" }, ...parts.slice(0, 8).map((span) =>
        el("li", {}, el("button", { type: "button", class: "example", onclick: choose(ngram.token_ids.slice(span.start, span.stop), null) },
          span.text, " ", el("small", {}, number(span.count)))))));
    }
  }
}
