/* Text mode: what of a pasted text the corpus says too, word by word, and where. The text stays in the fragment of the address. */

import { ask } from "./api.js";
import { el, number, percent, plural, say } from "./dom.js";
import { step } from "./keys.js";
import { choices, Panel, press } from "./panel.js";
import { documentRows, isSpaced } from "./panels/lines.js";
import { fieldOf } from "./panels/groups.js";
import { idsOnly, indexChoice, typedIds } from "./search.js";
import { align, kept, levels, longest, segments } from "./spans.js";

const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5, 1e6, 1e9, 0];
const ROWS = 100;

export class Text {
  constructor(app) {
    this.app = app;
    this.area = el("textarea", { id: "query", rows: "6", "aria-label": "Text to trace", placeholder: "Paste a text, as the answer of a language model: what of it does the corpus say word by word?", spellcheck: "false" });
    this.index = indexChoice(app, "Index", () => app.state.index, (index) => app.set({ index, where: null, by: "" }, { push: true }));
    this.form = el("form", {
      class: "search paste",
      onsubmit: (event) => {
        event.preventDefault();
        this.trace();
      },
    }, this.area, el("div", { class: "row" }, this.index, el("button", { type: "submit", class: "primary" }, "Trace"), el("span", { class: "hint" }, el("kbd", {}, "Ctrl"), " + ", el("kbd", {}, "Enter"))));
    this.area.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && this.trace());
    app.bar.append(this.form);
    this.makeControls();
    this.spans = new Panel("spans", "Spans");
    this.documents = new Panel("span-documents", "Documents of a span");
    this.traced = new Panel("traced", "Text");
    this.traced.body.before(this.controls);
    app.main.append(el("div", { class: "columns" },
      el("div", { class: "wide" }, this.traced.element), el("div", { class: "side" }, this.documents.element, this.spans.element)));
  }

  makeControls() {
    const { app } = this;
    this.min = el("input", { type: "range", min: "1", max: "40", "aria-label": "Minimum length in tokens", oninput: () => app.set({ min: Number(this.min.value) }, { lazy: true }) });
    this.max = el("input", { type: "range", min: "0", max: String(COUNTS.length - 1), "aria-label": "Maximum count", oninput: () => app.set({ max: COUNTS[Number(this.max.value)] }, { lazy: true }) });
    this.minShown = el("output", {});
    this.maxShown = el("output", {});
    this.shade = choices("Shade by", [["length", "Length"], ["rarity", "Rarity"]], "", (shade) => app.set({ shade }));
    this.controls = el("div", { class: "controls sliders" },
      el("label", {}, "at least ", this.minShown, this.min), el("label", {}, "at most ", this.maxShown, this.max), el("span", {}, el("span", { class: "hint" }, "Shade by "), this.shade));
  }

  trace() {
    const text = this.area.value;
    if (text === this.app.state.text) this.ask();
    else this.app.set({ text, doc: null }, { push: true });
  }

  update(changed) {
    const { state } = this.app;
    const any = (...names) => names.some((name) => changed.has(name));
    if (any("mode", "text", "index")) this.ask();
    else if (any("min", "max", "shade") && this.answer) this.draw();
    this.index.value = state.index;
  }

  ask() {
    const { index, text } = this.app.state;
    this.area.value = text;
    this.answer = null;
    this.spans.hide();
    this.documents.hide();
    if (!text.trim()) {
      this.traced.hide();
      return;
    }
    const info = this.app.info();
    const body = { text: typedIds(info, text) ?? text, min_length: 1, limit: 0 };
    this.traced.load((signal) => ask(index, "spans", body, signal), (answer) => {
      this.answer = answer;
      this.text = idsOnly(info) ? answer.pieces.join(" ") : text;
      this.places = align(this.text, answer.pieces);
      this.question = { index, question: "spans", body };
      this.draw();
    });
  }

  draw() {
    const { min, max, shade } = this.app.state;
    this.min.value = String(min);
    this.minShown.textContent = plural(min, "token");
    const place = COUNTS.findIndex((count) => count >= max && max);
    this.max.value = String(place < 0 ? COUNTS.length - 1 : place);
    this.maxShown.textContent = max ? plural(max, "occurrence") : "any count";
    press(this.shade, shade);
    const { spans, token_ids: ids } = this.answer;
    this.shown = kept(spans, min, max);
    const owners = longest(this.shown, ids.length);
    const shading = levels(this.shown, shade);
    const covered = owners.filter((owner) => owner >= 0).length;
    this.traced.body.replaceChildren(
      el("p", { class: "text traced-text" }, ...segments(this.text, this.places, owners).map(({ text: part, owner }) =>
        owner < 0 ? part : this.segment(part, owner, shading[owner]))),
      el("p", { class: "legend" }, "Shade: ", ...[1, 2, 3, 4, 5].map((level) => el("mark", { class: `span level-${level}` }, level === 1 ? (shade === "length" ? "short" : "frequent") : level === 5 ? (shade === "length" ? "long" : "rare") : " · ")),
        " The mark of a token is that of the longest span it lies in."));
    this.traced.tell(`${percent(ids.length ? covered / ids.length : 0)} of ${plural(ids.length, "token")} in ${plural(this.shown.length, "span")}`);
    const rows = () => this.shown.map(({ start, stop, count, text: span }) => ({ start, stop, tokens: stop - start, count, text: span }));
    this.traced.offer({ questions: [this.question], answer: this.answer, rows });
    this.table(rows);
  }

  segment(part, owner, level) {
    const span = this.shown[owner];
    const open = () => this.open(owner);
    return el("mark", {
      class: `span level-${level}`, "data-owner": String(owner), tabindex: "0", role: "button",
      "aria-label": `${part}: ${plural(span.stop - span.start, "token")}, ${plural(span.count, "occurrence")}`,
      title: `${plural(span.stop - span.start, "token")}, ${plural(span.count, "occurrence")}`,
      onclick: open,
      onkeydown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        open();
      },
    }, part);
  }

  table(rows) {
    const ranked = this.shown.map((span, owner) => ({ ...span, owner })).sort((a, b) => b.stop - b.start - (a.stop - a.start) || a.count - b.count);
    this.spans.element.hidden = false;
    this.spans.tell(ranked.length > ROWS ? `the ${ROWS} longest of ${number(ranked.length)}` : plural(ranked.length, "span"));
    this.spans.offer({ questions: [this.question], answer: { spans: this.shown }, rows });
    this.spans.body.replaceChildren(ranked.length ? el("table", { class: "ranks" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Span"), el("th", { scope: "col", class: "num" }, "Tokens"), el("th", { scope: "col", class: "num" }, "Count"))),
      el("tbody", {}, ...ranked.slice(0, ROWS).map((span) => el("tr", {},
        el("th", { scope: "row" }, el("button", { type: "button", class: "extend clipped", title: span.text, onclick: () => this.open(span.owner) }, span.text)),
        el("td", { class: "num" }, number(span.stop - span.start)), el("td", { class: "num" }, number(span.count))))))
      : el("p", { class: "none" }, "No span is that long and that rare: move the sliders."));
  }

  /** The documents that hold a span. */
  open(owner) {
    const { index } = this.app.state;
    const span = this.shown[owner];
    for (const mark of this.traced.body.querySelectorAll("mark[data-owner]")) {
      if (mark.dataset.owner === String(owner)) mark.setAttribute("aria-current", "true");
      else mark.removeAttribute("aria-current");
    }
    const ngram = this.answer.token_ids.slice(span.start, span.stop);
    const body = { ngram, limit: 10, snippet: 16, max_offsets: 1 };
    this.documents.load((signal) => ask(index, "documents", body, signal), (answer) => {
      const show = (doc, at) => this.app.set({ doc, at, mark: ngram }, { push: true });
      this.documents.body.append(el("blockquote", {}, span.text), documentRows(answer.documents, fieldOf(this.app), show, isSpaced(this.app.info(index))));
      this.documents.tell(`${plural(span.count, "occurrence")}${answer.next_cursor ? "; the first ten documents" : ` in ${plural(answer.documents.length, "document")}`}`);
      this.documents.offer({ questions: [{ index, question: "documents", body }], answer, rows: () =>
        answer.documents.map(({ document_id, ngram_count, path, line, metadata }) => ({ document_id, ngram_count, path, line, ...metadata })) });
      say(`Documents of the span ${span.text}`);
    });
  }

  focus() {
    this.area.focus();
  }

  step(by) {
    step([...this.traced.body.querySelectorAll("mark[data-owner]")], by);
  }

  bracket(by) {
    this.app.set({ min: Math.max(1, Math.min(40, this.app.state.min + by)) });
  }
}
