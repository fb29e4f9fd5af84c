/* What follows the phrase: the most frequent tokens as bars, each of which extends the phrase. */

import { ask } from "../api.js";
import { bar, el, number, percent, pieceOf, plural } from "../dom.js";
import { Panel } from "../panel.js";

const TOP = 20;

export class Next {
  constructor(app, name = "next", extend = null) {
    this.app = app;
    this.extend = extend ?? ((ids) => app.set({ ids, q: "", doc: null, at: null, mark: null }, { push: true }));
    this.panel = new Panel(name, "Next tokens");
  }

  ask({ index, where, phrase }) {
    const body = { context: phrase, top: TOP, where };
    this.panel.load(
      (signal) => ask(index, "next_distribution", body, signal),
      (answer) => {
        this.panel.offer({ questions: [{ index, question: "next_distribution", body }], answer, rows: () => answer.tokens });
        this.show(answer);
      });
  }

  show(answer) {
    const { tokens, ngram, separator } = answer;
    if (!tokens.length) {
      this.panel.body.append(el("p", { class: "none" }, "Nothing follows."));
      return;
    }
    const most = tokens[0].prob;
    const rows = tokens.map((token) => {
      const end = token.token_id === separator;
      const shown = end ? el("em", {}, "end of document") : pieceOf(token.piece);
      const first = end ? shown : el("button", {
        type: "button",
        class: "extend",
        title: "Extend the phrase by this token",
        onclick: () => this.extend([...ngram.token_ids, token.token_id]),
      }, shown);
      return el("tr", {}, el("th", { scope: "row" }, first), el("td", { class: "bars" }, bar(token.prob / most)),
        el("td", { class: "num" }, number(token.count)), el("td", { class: "num" }, percent(token.prob)));
    });
    this.panel.body.append(el("table", { class: "ranks" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Token"), el("td", {}),
        el("th", { scope: "col", class: "num" }, "Count"), el("th", { scope: "col", class: "num" }, "Share"))),
      el("tbody", {}, ...rows)));
    this.panel.tell(answer.num_distinct > tokens.length ? `${tokens.length} of ${number(answer.num_distinct)}` : plural(answer.num_distinct, "token"));
  }
}
