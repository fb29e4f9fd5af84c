/* The occurrences by a field of the documents' metadata, with each value's rate; a value can be made the restriction. */

import { ask } from "../api.js";
import { bar, el, number, plural, rate } from "../dom.js";
import { choices, Panel, press } from "../panel.js";
import { withValue } from "../where.js";

const SHOWN = 12;
const NAMES = /^(.*\.)?(id|_id|uuid|url|path|title|name|doc_?id|hash|sha\d*|line\w*)$/i;

/** The field to begin with: the first that does not look like a name of single documents. */
export const fieldOf = (app) => {
  const { by } = app.state;
  const { fields } = app.info();
  return fields.includes(by) ? by : fields.find((field) => !NAMES.test(field)) ?? fields[0] ?? "";
};

export class Groups {
  constructor(app) {
    this.app = app;
    this.select = el("select", { "aria-label": "Field", onchange: () => app.set({ by: this.select.value }) });
    this.units = choices("Unit", [["occurrences", "Occurrences"], ["documents", "Documents"]], "", (unit) => app.set({ unit }));
    this.panel = new Panel("groups", "Distribution");
    this.controls = el("div", { class: "controls" }, this.select, this.units);
    this.panel.body.before(this.controls);
  }

  ask({ index, where, phrase }) {
    const { fields } = this.app.info();
    const field = fieldOf(this.app);
    if (!field) {
      this.panel.hide();
      return;
    }
    this.select.replaceChildren(...fields.map((name) => el("option", { value: name }, name)));
    this.select.value = field;
    const { unit } = this.app.state;
    press(this.units, unit);
    const body = { ngram: phrase, field, unit, where };
    this.panel.load(
      async (signal) => {
        const size = unit === "documents" && !where ? ask(index, "groups", { field }, signal) : ask(index, "counts_by", { ngram: [], field, unit, where }, signal);
        size.catch(() => null); // without the sizes there are no rates, but counts
        return { ...(await ask(index, "counts_by", body, signal)), sizes: await size.then((one) => one.groups, (problem) => {
          if (problem.name === "AbortError") throw problem;
          return null;
        }) };
      },
      (answer) => this.show(answer, { index, question: "counts_by", body }));
  }

  show(answer, question) {
    const { unit, field, where } = question.body;
    const key = (value) => JSON.stringify(value);
    const sizes = answer.sizes && new Map(answer.sizes.map((one) => [key(one.value), one.count]));
    const per = unit === "documents" ? 100 : 1e6;
    const rows = answer.groups.filter((one) => one.count > 0).map(({ value, count }) => ({
      value,
      count,
      rate: sizes?.get(key(value)) ? (count / sizes.get(key(value))) * per : null,
    }));
    const most = Math.max(...rows.map((row) => row.count));
    const line = ({ value, count, rate: one }) => el("tr", {},
      el("th", { scope: "row" }, value === null ? el("em", {}, "(none)")
        : el("button", { type: "button", class: "extend", title: `Restrict to ${field}: ${value}`, onclick: () =>
          this.app.set({ where: withValue(where, field, value) }, { push: true }) }, el("bdi", {}, String(value)))),
      el("td", { class: "bars" }, bar(count / most)), el("td", { class: "num" }, number(count)),
      el("td", { class: "num" }, one === null ? "–" : rate(one)));
    const tbody = el("tbody", {}, ...rows.slice(0, SHOWN).map(line));
    this.panel.body.append(el("table", { class: "ranks" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, field), el("td", {}), el("th", { scope: "col", class: "num" }, "Count"),
        el("th", { scope: "col", class: "num", title: unit === "documents" ? "of the documents with this value" : "of the tokens of documents with this value" },
          unit === "documents" ? "% of docs" : "per million"))), tbody));
    if (rows.length > SHOWN) {
      this.panel.body.append(el("button", { type: "button", class: "more", onclick: (event) => {
        tbody.append(...rows.slice(SHOWN, 1000).map(line));
        event.target.remove();
      } }, rows.length > 1000 ? `Show 1,000 of ${number(rows.length)}` : `Show all ${number(rows.length)}`));
    }
    this.panel.tell(plural(rows.length, "value"));
    this.panel.offer({ questions: [question], answer, rows: () => rows });
  }
}
