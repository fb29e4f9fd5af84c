/* The concordance: each occurrence with the text around it, sorted by the word before or after; or the documents instead. */

import { ask, drawn } from "../api.js";
import { el, number, plural } from "../dom.js";
import { choices, Panel, press } from "../panel.js";
import { documentRows, isSpaced, lineRows, sampleLines, sorted } from "./lines.js";
import { fieldOf } from "./groups.js";

const SMALL_PAGE = 15; // on a small screen, where the other panels stand below
const PAGE = 50;
const LARGE_PAGE = 500;

export class Kwic {
  constructor(app) {
    this.app = app;
    this.views = choices("Show", [["lines", "Lines"], ["documents", "Documents"]], "", (view) => app.set({ view }));
    this.sorts = choices("Sort", [
      ["corpus", "Corpus order"],
      ["left", "Word before", "Sort by the nearest word before the phrase ( [ )"],
      ["right", "Word after", "Sort by the nearest word after the phrase ( ] )"],
    ], "", (sort) => app.set({ sort }));
    this.panel = new Panel("concordance", "Concordance");
    this.panel.body.before(el("div", { class: "controls" }, this.views, this.sorts));
  }

  rows() {
    return [...this.panel.body.querySelectorAll("button.open")];
  }

  /** Only what changed: another order needs no question. */
  update(found, changed) {
    if (changed.has("view") || changed.has("width") || !this.lines) this.ask(found);
    else this.draw();
  }

  ask(found, limit = matchMedia("(max-width: 640px)").matches ? SMALL_PAGE : PAGE) {
    const { view, width } = this.app.state;
    this.found = found;
    this.lines = null;
    press(this.views, view);
    this.sorts.hidden = view !== "lines";
    const { index, where, phrase } = found;
    const question = view === "lines" ? "concordance" : "documents";
    const body = view === "lines"
      ? { ngram: phrase, width, limit, metadata: true, where }
      : { ngram: phrase, limit, snippet: width, max_offsets: 1, where };
    this.panel.load((signal) => ask(index, question, body, signal), (answer) => {
      this.question = { index, question, body };
      this.take(answer, answer.lines ?? answer.documents);
    }, { instead: (problem) => (problem.kind === "too-expensive" && !where ? [this.sampler(found)] : []) });
  }

  take(answer, lines) {
    this.answer = answer;
    this.lines = lines;
    this.draw();
  }

  /** The next records, behind those that are there. */
  async more(limit, button) {
    const { index, question, body } = this.question;
    const asked = this.panel.asked;
    button.disabled = true;
    try {
      const answer = await ask(index, question, { ...body, limit, cursor: this.answer.next_cursor }, this.panel.controller.signal);
      if (asked !== this.panel.asked) return;
      this.take(answer, [...this.lines, ...(answer.lines ?? answer.documents)]);
    } catch (problem) {
      if (asked !== this.panel.asked || problem.name === "AbortError") return;
      this.panel.fail(problem, () => this.ask(this.found), []);
    }
  }

  /** A random sample: what one can have of a phrase whose occurrences are too many to be put in order. */
  sampler(found) {
    const { width } = this.app.state;
    return el("button", { type: "button", class: "primary", onclick: () => this.panel.load(
      (signal) => drawn(found.index, found.ngram.token_ids, width, signal),
      (answer) => {
        this.question = null;
        this.sorts.hidden = false;
        this.take({ ...answer, total: answer.cnt, next_cursor: null, sample: true }, sampleLines(answer));
      }) }, "Draw ten at random");
  }

  draw() {
    const { sort, view } = this.app.state;
    press(this.sorts, sort);
    const { answer, found } = this;
    const field = fieldOf(this.app);
    const spaced = isSpaced(this.app.info(found.index));
    const lines = view === "documents" && !answer.sample ? this.lines : sorted(this.lines, sort);
    const open = (document_id, at) => this.app.set({ doc: document_id, at, mark: found.ngram.token_ids }, { push: true });
    const table = view === "documents" && !answer.sample ? documentRows(lines, field, open, spaced) : lineRows(lines, field, open, spaced);
    const rest = answer.next_cursor === null ? [] : [PAGE, LARGE_PAGE].map((limit) =>
      el("button", { type: "button", class: "more", onclick: (event) => this.more(limit, event.target) }, `${limit} more`));
    this.panel.body.replaceChildren(table, el("p", { class: "more-row" }, ...rest));
    this.tell(answer, lines, sort, view);
    this.panel.offer({
      questions: this.question ? [this.question] : [{ index: found.index, question: "count", body: { ngram: found.phrase } }],
      answer: { ...answer, [view === "lines" ? "lines" : "documents"]: lines },
      rows: () => lines.map(record),
    });
  }

  tell(answer, lines, sort, view) {
    const shown = number(lines.length);
    if (answer.sample) this.panel.tell(`${shown} of ${number(answer.total)} occurrences, drawn at random`);
    else if (view === "documents") this.panel.tell(answer.next_cursor === null ? plural(lines.length, "document") : `the first ${shown} documents`);
    else if (answer.next_cursor === null) this.panel.tell(plural(answer.total, "line"));
    else this.panel.tell(`the first ${shown} of ${number(answer.total)} lines${sort === "corpus" ? "" : ", sorted among themselves"}`);
  }
}

/** A line or a document as a row of a file. */
function record(one) {
  const around = one.snippet ?? one;
  const text = (part) => (typeof part === "string" ? part : part.text);
  return {
    document_id: one.document_id, offset: one.offset ?? one.offsets?.[0], left: text(around.left), match: text(around.match),
    right: text(around.right), path: one.path, line: one.line, ...one.metadata,
  };
}
