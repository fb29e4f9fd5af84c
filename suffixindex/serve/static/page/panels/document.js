/* One document in a dialog: its text with the phrase marked, a stretch at a time, and where it came from. */

import { ask } from "../api.js";
import { el, number, say, valueOf } from "../dom.js";
import { menu } from "../export.js";
import { describe } from "../problems.js";

const BEFORE = 300;
const STRETCH = 2000;

export class DocumentView {
  constructor(app) {
    this.app = app;
    this.dialog = document.getElementById("document");
    this.asked = 0;
    this.dialog.addEventListener("close", () => {
      this.asked += 1;
      if (this.app.state.doc !== null) this.app.set({ doc: null, at: null, mark: null, of: "index" }, { push: true });
    });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("keydown", (event) => {
      if (event.key === "j" || event.key === "k") this.step(event.key === "j" ? 1 : -1);
    });
  }

  update(changed) {
    const { doc, at } = this.app.state;
    if (!["doc", "at", "mark", "of", "index"].some((name) => changed.has(name))) return;
    if (doc === null) {
      if (this.dialog.open) this.dialog.close();
      return;
    }
    if (!this.dialog.open) this.dialog.showModal();
    this.load(Math.max(0, (at ?? 0) - BEFORE));
  }

  async load(start) {
    const asked = ++this.asked;
    const { doc, mark, at, of } = this.app.state;
    const index = this.app.state[of];
    const body = { document_id: doc, start, stop: start + STRETCH, highlight: mark ? [mark] : [] };
    this.frame(`Document ${number(doc)}`, el("p", { class: "loading" }, "Loading …"));
    try {
      const answer = await ask(index, "document", body);
      if (asked !== this.asked) return;
      this.show(answer, { index, question: "document", body }, at);
    } catch (problem) {
      if (asked === this.asked) this.frame(`Document ${number(doc)}`, describe(problem, () => this.load(start)));
    }
  }

  frame(title, ...content) {
    this.tools = el("div", { class: "tools" });
    this.dialog.replaceChildren(
      el("header", {}, el("h2", { id: "document-title" }, title), this.tools,
        el("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => this.dialog.close() }, "×")),
      ...content);
  }

  show(answer, question, at) {
    const { start, stop, num_tokens: size } = answer;
    const go = (label, to, possible) => el("button", { type: "button", disabled: !possible, onclick: () => this.load(to) }, label);
    const text = el("div", { class: "text", tabindex: "0", role: "region", "aria-label": "Text" }, ...answer.segments.map((segment) =>
      segment.highlight === null ? segment.text : el("mark", { tabindex: "-1" }, segment.text)));
    this.frame(`Document ${number(answer.document_id)}`, facts(answer),
      el("div", { class: "controls" },
        el("span", { class: "note" }, `tokens ${number(Math.min(start + 1, stop))} to ${number(stop)} of ${number(size)}`),
        go("Earlier", Math.max(0, start - STRETCH), start > 0), go("Later", stop, stop < size),
        el("button", { type: "button", onclick: () => this.step(-1) }, "Previous mark"),
        el("button", { type: "button", onclick: () => this.step(1) }, "Next mark")),
      text);
    this.tools.append(menu("document", "Document", { questions: [question], answer, rows: () => [
      { document_id: answer.document_id, start, stop, text: answer.text, path: answer.path, line: answer.line, ...answer.metadata }] }));
    text.focus({ preventScroll: true });
    this.marks = [...text.querySelectorAll("mark")];
    this.current = -1;
    const wanted = at === null ? 0 : this.marks.findIndex((mark) => startOf(answer, this.marks.indexOf(mark), question) >= at);
    if (this.marks.length) this.step(Math.max(1, wanted + 1), false);
    say(`Document ${answer.document_id}, ${this.marks.length} marked`);
  }

  step(by, focus = true) {
    if (!this.marks?.length) return;
    this.marks[this.current]?.removeAttribute("aria-current");
    this.current = (this.current + by + this.marks.length) % this.marks.length;
    const mark = this.marks[this.current];
    mark.setAttribute("aria-current", "true");
    mark.scrollIntoView({ block: "center" });
    if (focus) mark.focus({ preventScroll: true });
  }
}

/** The offset of the n-th mark: where the marked ids stand for the n-th time, not overlapping the one before. */
function startOf(answer, place, question) {
  const [ids] = question.body.highlight;
  const tokens = answer.token_ids;
  let found = -1;
  for (let offset = 0; offset + ids.length <= tokens.length; offset++) {
    if (ids.every((id, at) => tokens[offset + at] === id)) {
      found += 1;
      if (found === place) return answer.start + offset;
      offset += ids.length - 1;
    }
  }
  return Infinity;
}

/** The fields of a record, inner ones as dotted paths. */
const flat = (record, prefix = "") => Object.entries(record).flatMap(([name, value]) =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? flat(value, `${prefix}${name}.`) : [[prefix + name, value]]);

/** Where a document came from: its file, its line, and its metadata. */
function facts(answer) {
  const rows = [["file", answer.path], ["line", answer.line], ...flat(answer.metadata ?? {})]
    .filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!rows.length) return null;
  return el("details", { class: "facts", open: rows.length <= 8 }, el("summary", {}, "Where it came from"),
    el("table", {}, el("tbody", {}, ...rows.map(([name, value]) =>
      el("tr", {}, el("th", { scope: "row" }, el("bdi", {}, name)), el("td", {}, valueOf(value)))))));
}
