/* What can be taken from a panel: its answer as JSON, its table as CSV, and the question as curl, Python or a shell command. */

import { clean, questionAddress } from "./api.js";
import { el, say } from "./dom.js";

const RISKY = /^[=+\-@\t\r]/;

/**
 * The menu of a panel.
 * `given.questions` are `{index, question, body}`, `given.answer` what came back, `given.rows()` records of the table shown.
 */
export function menu(name, title, given) {
  const details = el("details", { class: "menu" }, el("summary", { "aria-label": `Export ${title}` }, "Export"));
  const item = (label, act) => el("button", {
    type: "button",
    onclick: () => {
      details.open = false;
      act();
      details.querySelector("summary").focus();
    },
  }, label);
  details.append(el("div", { class: "items" },
    item(".json", () => download(`${name}.json`, "application/json", `${JSON.stringify(given.answer, null, 2)}\n`)),
    item(".csv", () => download(`${name}.csv`, "text/csv", csv(given.rows()))),
    item("Copy as curl", () => copy(given.questions.map(curl).join("\n"), "curl")),
    item("Copy as Python", () => copy(python(given.questions), "Python")),
    item("Copy as shell", () => copy(given.questions.map(shell).join("\n"), "shell"))));
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    details.querySelector("summary").focus();
    event.stopPropagation();
  });
  return details;
}

// A menu closes when something else is clicked.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.menu[open]")) if (!open.contains(event.target)) open.open = false;
});

/** Records as CSV; text that a spreadsheet would take for a formula has an apostrophe before it. */
export function csv(records) {
  const names = [...new Set(records.flatMap(Object.keys))];
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const safe = RISKY.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [names, ...records.map((record) => names.map((name) => record[name]))].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function download(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  say(`${name} is saved`);
}

async function copy(text, kind) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { value: text, class: "said" }); // an address without TLS has no clipboard
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`Copied as ${kind}`);
}

// ---- the question as code ----

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

export function curl({ index, question, body }) {
  return `curl -s ${quoted(questionAddress(index, question))} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(clean(body)))}`;
}

/** A value as Python writes it. */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    if ("below" in value) return `range(${value.from}, ${value.below}${value.step > 1 ? `, ${value.step}` : ""})`;
    return `{${Object.entries(value).map(([name, one]) => `${literal(name)}: ${literal(one)}`).join(", ")}}`;
  }
  return JSON.stringify(value); // a string of JSON is one of Python too
}

function condition(where) {
  if (!where) return "";
  const fields = where.fields ? literal(where.fields) : null;
  if (!where.holding) return `, where=${fields}`;
  const more = `${where.window === undefined ? "" : `, window=${where.window}`}${fields ? `, where=${fields}` : ""}`;
  return `, where=index.holding(${where.holding.map(literal).join(", ")}${more})`;
}

const CALLS = {
  count: (b) => `index.count(${literal(b.ngram)}${condition(b.where)})`,
  document_count: (b) => `index.document_count(${literal(b.ngram)}${condition(b.where)})`,
  count_variants: (b) => `index.count_variants(${literal(b.text)}${condition(b.where)})`,
  next_distribution: (b) => `index.next_distribution(${literal(b.context)}${condition(b.where)}).top(${b.top ?? 20})`,
  counts_by: (b) => `index.counts_by(${literal(b.ngram)}, ${literal(b.field)}, ${literal(b.unit ?? "occurrences")}${condition(b.where)})`,
  concordance: (b) => `index.concordance(${literal(b.ngram)}, width=${b.width}, limit=${b.limit}${condition(b.where)})`,
  documents: (b) => `index.documents(${literal(b.ngram)}, limit=${b.limit}${condition(b.where)})`,
  document: (b) => `index.document(${b.document_id})`,
  cooccurrence: (b) => `index.cooccurrence(${b.clauses.map(literal).join(", ")}, window=${literal(b.window ?? null)}${condition(b.where)})`,
  spans: (b) => `index.spans(${literal(b.text)}, min_length=${b.min_length}, limit=${b.limit})`,
};

export function python(questions) {
  const server = new URL(".", document.baseURI).href.replace(/\/$/, "");
  let opened = null;
  const lines = ["import suffixindex as si", ""];
  for (const { index, question, body } of questions) {
    if (index !== opened) lines.push(`index = si.connect(${literal(server)}, ${literal(index)})`);
    opened = index;
    lines.push(`print(${CALLS[question](body)})`);
  }
  return `${lines.join("\n")}\n`;
}

/** Of each command its name, its options, and what it is asked. */
const COMMANDS = {
  count: (b) => ["count", [], [b.ngram]],
  document_count: (b) => ["count", ["--documents"], [b.ngram]],
  count_variants: (b) => ["count", ["--variants", "space,case"], [b.text]],
  next_distribution: (b) => ["next", ["-k", b.top ?? 20], [b.context]],
  counts_by: (b) => ["count", [...(b.unit === "documents" ? ["--documents"] : []), "--by", b.field], [b.ngram]],
  concordance: (b) => ["concordance", ["--width", b.width, "--limit", b.limit], [b.ngram]],
  documents: (b) => ["docs", ["--limit", b.limit], [b.ngram]],
  cooccurrence: (b) => ["cooccur", Number.isInteger(b.window) ? ["--window", b.window] : [], b.clauses],
  spans: (b) => ["spans", ["--min-length", b.min_length, "--max-documents", b.limit], [b.text]],
};

/** The command of a shell that asks the same of the index's files; curl where there is none. */
export function shell({ index, question, body }) {
  if (!COMMANDS[question]) return curl({ index, question, body });
  const [command, options, asked] = COMMANDS[question](body);
  const { fields = {}, holding = [], window = null } = body.where ?? {};
  const conditions = Object.entries(fields).flatMap(([name, wanted]) => [wanted].flat().map((one) => [name, one]));
  const interval = (one) => one !== null && typeof one === "object";
  const ngrams = [...asked, ...holding];
  const asIds = ngrams.some(Array.isArray);
  const cannot = conditions.some(([, one]) => one === null || (interval(one) && (one.step ?? 1) !== 1))
    || (asIds && !ngrams.every(Array.isArray)) || window !== null || (command === "cooccur" && holding.length);
  if (cannot) return curl({ index, question, body });
  const word = (one) => quoted(Array.isArray(one) ? one.join(" ") : one);
  return ["suffixindex", command, quoted(index), ...(asIds ? ["--ids"] : []), ...options,
    ...conditions.map(([name, one]) => `--where=${quoted(`${name}=${interval(one) ? `${one.from}..${one.below}` : one}`)}`),
    ...holding.map((one) => `--with=${word(one)}`), "--", ...asked.map(word)].join(" ");
}
