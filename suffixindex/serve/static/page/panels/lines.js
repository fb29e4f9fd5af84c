/* Lines of a concordance: their order, and the tables they are shown in. */

import { el, number, pieceOf, plural, valueOf } from "../dom.js";

const order = new Intl.Collator("en", { sensitivity: "base", numeric: true });
const words = (text) => text.split(/\s+/).filter(Boolean);

/** Lines by the words before the phrase, nearest first, or by those after it; else as they are. */
export function sorted(lines, sort) {
  if (sort === "corpus") return lines;
  const keyed = lines.map((line) => [sort === "left" ? words(line.left.text).reverse() : words(line.right.text), line]);
  const compare = ([a], [b]) => {
    for (let place = 0; place < Math.max(a.length, b.length); place++) {
      const found = order.compare(a[place] ?? "", b[place] ?? "");
      if (found) return found;
    }
    return 0;
  };
  return keyed.sort(compare).map(([, line]) => line);
}

/** What `search_docs` draws, as lines. */
export function sampleLines(answer) {
  return answer.documents.map((document) => {
    const spans = document.spans;
    const at = spans.findIndex(([, label]) => label !== null);
    const text = (part) => ({ text: part.map(([piece]) => piece).join("") });
    let told = {};
    try {
      told = JSON.parse(document.metadata);
    } catch {
      told = {}; // the index has none
    }
    return {
      document_id: document.doc_ix, offset: null, path: told.path ?? null, line: told.linenum ?? null, metadata: told.metadata ?? {},
      left: text(spans.slice(0, Math.max(0, at))), match: text(spans.slice(Math.max(0, at), at + 1)), right: text(spans.slice(at + 1)),
    };
  });
}

/** The value of a field that may lie inside others (`meta.source`), or the path. */
function fieldValue(one, field) {
  if (field === "path") return one.path;
  const metadata = one.metadata ?? {};
  if (field in metadata) return metadata[field];
  return field.split(".").reduce((inner, name) => inner?.[name], metadata);
}

function source(one, field) {
  const value = fieldValue(one, field);
  return value === undefined || value === null ? "" : valueOf(value);
}

/** A field that some of these have: of several indexes asked as one, no record says of which it is, but the path does. */
const had = (ones, field) => (ones.some((one) => (fieldValue(one, field) ?? null) !== null) ? field : "path");

const opener = (one, at, open) => el("button", {
  type: "button",
  class: "open",
  title: [one.path, one.line].filter((part) => part !== null && part !== undefined).join(":") || null,
  "aria-label": `Open document ${one.document_id}`,
  onclick: () => open(one.document_id, at),
}, number(one.document_id));

/** Whether the texts of an index's tokens have no spaces of their own. */
export const isSpaced = (info) => info.tokenizer.kind === "words";

const head = (...names) => el("thead", {}, el("tr", {}, ...names.map(([name, kind]) => el("th", { scope: "col", class: kind }, name))));

// Roles are told, for small screens show the rows as blocks.
const cell = (kind, ...content) => el("td", { class: kind, role: "cell" }, ...content);

/** The concordance; `spaced` says that a space stands between any two tokens, whose own texts have none. */
export function lineRows(lines, wanted, open, spaced) {
  const field = had(lines, wanted);
  const table = el("table", { class: spaced ? "kwic spaced" : "kwic", role: "table", "aria-label": "Lines" },
    head(["Before", "left"], ["Phrase", "match"], ["After", "right"], ["Document", "doc"], [field, "source"]),
    el("tbody", {}, ...lines.map((line) => el("tr", { role: "row", onclick: (event) => rowClick(event, () => open(line.document_id, line.offset)) },
      cell("left", el("bdi", {}, line.left.text)),
      cell("match", ...marked(line.match.text)),
      cell("right", el("bdi", {}, line.right.text)),
      cell("doc", opener(line, line.offset, open)),
      cell("source", source(line, field))))));
  const longest = Math.max(1, ...lines.map((line) => line.match.text.length));
  table.style.setProperty("--match", `${Math.min(22, 1.2 + 0.6 * longest)}rem`);
  return table;
}

/** The phrase marked, the white space at its ends not. */
function marked(text) {
  const inner = text.trim();
  return inner ? [/^\s/.test(text) ? " " : "", el("mark", {}, inner), /\s$/.test(text) ? " " : ""] : [el("mark", {}, pieceOf(text))];
}

/** Documents that hold the phrase, the first place of each. */
export function documentRows(documents, wanted, open, spaced) {
  const field = had(documents, wanted);
  const gap = spaced ? " " : "";
  return el("table", { class: "documents", role: "table", "aria-label": "Documents" },
    head(["Document", "doc"], [field, "source"], ["Occurrences", "num"], ["First place", ""]),
    el("tbody", {}, ...documents.map((one) => el("tr", { role: "row", onclick: (event) => rowClick(event, () => open(one.document_id, one.offsets[0])) },
      cell("doc", opener(one, one.offsets[0], open)),
      cell("source", source(one, field)),
      el("td", { class: "num", role: "cell", title: `in ${plural(one.num_tokens, "token")}` }, number(one.ngram_count)),
      cell("snippet", ...one.snippet ? [el("bdi", {}, one.snippet.left), gap, ...marked(one.snippet.match), gap, el("bdi", {}, one.snippet.right)] : [])))));
}

/** A click on a row opens it, unless it meant a link, a button, or chose some text. */
function rowClick(event, act) {
  if (event.target.closest("a, button") || String(getSelection())) return;
  act();
}
