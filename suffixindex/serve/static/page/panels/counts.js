/* Count, documents and rate of a phrase, and the pieces that were looked up. The count is shown as soon as it is there. */

import { ask } from "../api.js";
import { el, number, pieceOf, plural, rate } from "../dom.js";
import { Panel } from "../panel.js";
import { brief } from "../problems.js";

export class Counts {
  constructor(app) {
    this.app = app;
    this.panel = new Panel("counts", "Count");
  }

  /** Count a phrase; `found` is told of it, `failed` if there is no answer. */
  ask(phrase, found, failed) {
    const { index, where } = this.app.state;
    const body = { ngram: phrase, where };
    this.panel.load(
      (signal) => ask(index, "count", body, signal).catch((problem) => {
        if (problem.name !== "AbortError") failed();
        throw problem;
      }),
      (answer) => {
        this.show(index, body, answer);
        found({ index, where, phrase, ngram: answer.ngram, count: answer.count });
      });
  }

  show(index, body, answer) {
    const { ngram, count } = answer;
    const { where } = body;
    const documents = el("dd", {}, "…");
    const perMillion = el("dd", {}, "…");
    const all = { count, documents: null, per_million: null };
    this.panel.body.append(
      el("dl", { class: "figures" },
        el("div", { class: "main" }, el("dt", {}, count === 1 ? "occurrence" : "occurrences"), el("dd", { id: "count" }, number(count))),
        el("div", {}, el("dt", {}, "documents"), documents),
        el("div", {}, el("dt", {}, where ? "per million tokens of these documents" : "per million tokens"), perMillion)),
      el("p", { class: "pieces" }, el("span", { class: "label" }, `${plural(ngram.token_ids.length, "token")}:`), " ",
        el("span", { role: "list", "aria-label": "Pieces looked up" }, ...ngram.pieces.map((piece, place) =>
          el("span", { role: "listitem", class: "piece", title: `id ${ngram.token_ids[place]}` }, pieceOf(piece))))));
    this.panel.tell(count === 0 ? "No occurrence" : plural(count, "occurrence"));
    const questions = [{ index, question: "count", body }, { index, question: "document_count", body }];
    this.panel.offer({
      questions,
      answer: { ...answer, figures: all },
      rows: () => [{ index, phrase: ngram.text, token_ids: ngram.token_ids.join(" "), ...all }],
    });
    const signal = this.panel.controller.signal;
    if (count === 0) [all.documents, documents.textContent] = [0, "0"];
    else fill(documents, ask(index, "document_count", body, signal).then((one) => number(all.documents = one.count)));
    const size = where ? ask(index, "count", { ngram: [], where }, signal).then((one) => one.count) : Promise.resolve(this.app.info(index).num_tokens);
    fill(perMillion, size.then((tokens) => rate(all.per_million = tokens ? (count / tokens) * 1e6 : 0)));
  }
}

/** Put in a figure when it comes, or why there is none. */
export async function fill(element, promise) {
  try {
    element.textContent = await promise;
  } catch (problem) {
    if (problem.name === "AbortError") return;
    element.textContent = "–";
    element.append(el("small", {}, brief(problem)));
    element.title = problem.detail ?? "";
  }
}
