/* Compare mode: one phrase in two indexes, or in two sets of documents of one, side by side. */

import { ask } from "./api.js";
import { el, number, rate } from "./dom.js";
import { step } from "./keys.js";
import { Panel } from "./panel.js";
import { fill } from "./panels/counts.js";
import { isSpaced, lineRows } from "./panels/lines.js";
import { Next } from "./panels/next.js";
import { indexChoice, SearchBox } from "./search.js";
import { fieldOf } from "./panels/groups.js";
import { whereBar } from "./where.js";

const SIDES = [["A", "index", "where"], ["B", "index2", "where2"]];
const LINES = 10;

export class Compare {
  constructor(app) {
    this.app = app;
    this.box = new SearchBox(app, (q) => (q === app.state.q ? this.ask() : app.set({ q, ids: null, doc: null }, { push: true })), { withIndex: false });
    app.bar.append(this.box.element);
    this.figures = new Panel("compared", "Counts");
    this.sides = SIDES.map(([name, index, where]) => {
      const next = new Next(app, `next-${name}`, (ids) => this.extend(index, ids));
      const lines = new Panel(`lines-${name}`, "Lines");
      const head = el("div", { class: "side-head" });
      return { name, index, where, next, lines, head, element: el("div", { class: "side-by-side" }, head, next.panel.element, lines.element) };
    });
    app.main.append(this.figures.element, el("div", { class: "pair" }, ...this.sides.map((side) => side.element)));
  }

  update(changed) {
    const { state } = this.app;
    if (state.ids) {
      this.settle();
      return;
    }
    const any = (...names) => names.some((name) => changed.has(name));
    if (any("mode", "index", "index2", "where", "where2")) this.sides.forEach((side) => this.heads(side));
    if (any("mode", "q", "ids", "index", "index2", "where", "where2")) this.ask();
  }

  /** Ids mean something in one index alone: their text is compared. */
  async settle() {
    const { index, ids } = this.app.state;
    this.box.fill("");
    try {
      const { text } = await ask(index, "decode", { token_ids: ids });
      if (this.app.mode === this) this.app.set({ ids: null, q: text });
    } catch (problem) {
      this.figures.begin();
      this.figures.fail(problem, () => this.settle(), []);
    }
    this.sides.forEach((side) => this.heads(side));
  }

  heads(side) {
    const { app } = this;
    const choose = (index) => app.set({ [side.index]: index, [side.where]: null }, { push: true });
    side.head.replaceChildren(
      el("h2", {}, side.name),
      indexChoice(app, `Index ${side.name}`, () => app.state[side.index], choose),
      whereBar(app.info(app.state[side.index]), app.state[side.where], (where) => app.set({ [side.where]: where }, { push: true })));
  }

  async extend(index, ids) {
    const { text } = await ask(this.app.state[index], "decode", { token_ids: ids });
    this.app.set({ q: text, ids: null }, { push: true });
  }

  ask() {
    const { state } = this.app;
    this.box.fill(state.q);
    const panels = [this.figures, ...this.sides.flatMap((side) => [side.next.panel, side.lines])];
    if (!state.q) {
      for (const panel of panels) panel.hide();
      return;
    }
    const asked = this.sides.map((side) => ({ index: state[side.index], where: state[side.where], phrase: state.q }));
    this.figures.load(
      (signal) => Promise.all(asked.map(({ index, where, phrase }) => ask(index, "count", { ngram: phrase, where }, signal))),
      (counted) => {
        this.show(asked, counted);
        this.sides.forEach((side, place) => this.fillSide(side, asked[place], counted[place]));
      });
  }

  show(asked, counted) {
    const signal = this.figures.controller.signal;
    const counts = counted.map((one) => one.count);
    const records = asked.map(({ index, where, phrase }, place) => ({ side: SIDES[place][0], index, where, phrase, count: counts[place] }));
    const waiting = () => el("td", { class: "num" }, "…");
    const cells = { documents: [waiting(), waiting(), waiting()], rates: [waiting(), waiting(), waiting()] };
    const ratio = (a, b) => (b ? `${rate(a / b)} ×` : "–");
    const documents = asked.map(({ index, where, phrase }) => ask(index, "document_count", { ngram: phrase, where }, signal).then((one) => one.count));
    const rates = asked.map(async ({ index, where }, place) => {
      const tokens = where ? (await ask(index, "count", { ngram: [], where }, signal)).count : this.app.info(index).num_tokens;
      return tokens ? (counts[place] / tokens) * 1e6 : 0;
    });
    for (const place of [0, 1]) {
      fill(cells.documents[place], documents[place].then((value) => number(records[place].documents = value)));
      fill(cells.rates[place], rates[place].then((value) => rate(records[place].per_million = value)));
    }
    fill(cells.documents[2], Promise.all(documents).then(([a, b]) => ratio(a, b)));
    fill(cells.rates[2], Promise.all(rates).then(([a, b]) => ratio(a, b)));
    const row = (name, values) => el("tr", {}, el("th", { scope: "row" }, name), ...values);
    this.figures.body.append(el("table", { class: "ranks compared-table" },
      el("thead", {}, el("tr", {}, el("td", {}), ...asked.map(({ index }, place) => el("th", { scope: "col", class: "num" }, `${SIDES[place][0]}: ${index}`)), el("th", { scope: "col", class: "num" }, "A : B"))),
      el("tbody", {},
        row("Occurrences", [...counts.map((count) => el("td", { class: "num" }, number(count))), el("td", { class: "num" }, ratio(...counts))]),
        row("Documents", cells.documents), row("Per million tokens", cells.rates))));
    this.figures.tell(`A ${number(counts[0])}, B ${number(counts[1])}`);
    this.figures.offer({
      questions: asked.flatMap(({ index, where, phrase }) => ["count", "document_count"].map((question) => ({ index, question, body: { ngram: phrase, where } }))),
      answer: records,
      rows: () => records,
    });
  }

  fillSide(side, asked, { count, ngram }) {
    if (!count) {
      side.next.panel.hide();
      side.lines.hide();
      return;
    }
    side.next.ask(asked);
    const { index, where, phrase } = asked;
    const body = { ngram: phrase, width: 6, limit: LINES, metadata: true, where };
    side.lines.load((signal) => ask(index, "concordance", body, signal), (answer) => {
      const open = (doc, at) => this.app.set({ doc, at, mark: ngram.token_ids, of: side.index }, { push: true });
      side.lines.body.append(lineRows(answer.lines, fieldOf(this.app), open, isSpaced(this.app.info(index))));
      side.lines.tell(`the first ${answer.lines.length} of ${number(answer.total)}`);
      side.lines.offer({ questions: [{ index, question: "concordance", body }], answer, rows: () =>
        answer.lines.map((line) => ({ document_id: line.document_id, offset: line.offset, left: line.left.text, match: line.match.text, right: line.right.text, ...line.metadata })) });
    });
  }

  focus() {
    this.box.focus();
  }

  step(by) {
    step([...this.app.main.querySelectorAll("button.open")], by);
  }
}
