/* A second phrase: in how many documents both stand, anywhere or within a window, and whether that is more than by chance. */

import { ask } from "../api.js";
import { el, number, percent, rate } from "../dom.js";
import { Panel } from "../panel.js";

export class Together {
  constructor(app) {
    this.app = app;
    this.near = el("input", { type: "search", "aria-label": "Second phrase", placeholder: "a second phrase", autocomplete: "off", spellcheck: "false" });
    this.window = el("input", { type: "number", min: "0", max: "1000000", "aria-label": "Window in tokens", placeholder: "any" });
    this.panel = new Panel("together", "Together with");
    this.panel.body.before(el("form", {
      class: "inline",
      onsubmit: (event) => {
        event.preventDefault();
        app.set({ near: this.near.value, window: this.window.value === "" ? null : Number(this.window.value) }, { push: true });
      },
    }, this.near, el("label", {}, "within ", this.window, " tokens"), el("button", { type: "submit" }, "Count")));
  }

  ask(found) {
    const { index, where, phrase } = found;
    const { near, window } = this.app.state;
    this.near.value = near;
    this.window.value = window ?? "";
    if (!near) {
      this.panel.hide();
      this.panel.element.hidden = false;
      this.panel.element.setAttribute("aria-busy", "false");
      this.panel.body.append(el("p", { class: "hint" }, "In how many documents do both stand?"));
      return;
    }
    const body = { clauses: [phrase, near], window, where };
    this.panel.load(
      async (signal) => {
        const [both, one, other, all] = await Promise.all([
          ask(index, "cooccurrence", body, signal),
          ask(index, "document_count", { ngram: phrase, where }, signal),
          ask(index, "document_count", { ngram: near, where }, signal),
          where ? ask(index, "mask", { where }, signal).then((mask) => mask.count) : this.app.info(index).num_documents,
        ]);
        const ids = both.count ? await ask(index, "document_ids", { ...body, limit: 12 }, signal) : { document_ids: [] };
        return { both: both.count, one: one.count, other: other.count, documents: all, document_ids: ids.document_ids, second: other.ngram };
      },
      (answer) => this.show(found, answer, body));
  }

  show({ index, ngram, where }, answer, body) {
    const { both, one, other, documents } = answer;
    const lift = (both * documents) / (one * other);
    const rows = [["both", both], [`“${ngram.text}”`, one], [`“${answer.second.text}”`, other]];
    this.panel.body.append(
      el("table", { class: "ranks" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, body.window === null ? "Documents with" : `Documents with (both within ${number(body.window)} tokens)`),
          el("th", { scope: "col", class: "num" }, "Documents"), el("th", { scope: "col", class: "num" }, "Share"))),
        el("tbody", {}, ...rows.map(([name, count]) => el("tr", {}, el("th", { scope: "row" }, el("bdi", {}, name)),
          el("td", { class: "num" }, number(count)), el("td", { class: "num" }, percent(count / documents)))))),
      el("p", {}, one && other ? `${rate(lift)} times as many documents as if the two were independent.` : "One of the two is in no document."));
    if (both) {
      this.panel.body.append(
        el("p", { class: "ids" }, "In documents ", ...answer.document_ids.map((id) => el("button", {
          type: "button", class: "open", "aria-label": `Open document ${id}`,
          onclick: () => this.app.set({ doc: id, at: null, mark: ngram.token_ids }, { push: true }),
        }, number(id))), both > answer.document_ids.length ? " …" : ""),
        el("button", { type: "button", onclick: () => this.app.set({
          where: { ...where, holding: [...(where?.holding ?? []), body.clauses[1]] } }, { push: true }) }, "Restrict to documents that hold it"));
    }
    this.panel.tell(`${number(both)} together`);
    this.panel.offer({ questions: [{ index, question: "cooccurrence", body }], answer, rows: () =>
      rows.map(([name, count]) => ({ documents_with: name, count, share: count / documents })) });
  }
}
