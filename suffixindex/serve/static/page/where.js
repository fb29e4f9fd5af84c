/* What restricts a question: values of metadata fields, and phrases that documents hold, each as a chip that can be taken away. */

import { ask } from "./api.js";
import { el, number, plural } from "./dom.js";
import { tidy } from "./state.js";

const LISTED = 300;

const shown = (value) => {
  if (value !== null && typeof value === "object") return `${value.from} to below ${value.below}`;
  return value === null ? "(none)" : String(value);
};

/** The chips of a `where` and a form for more; `change(where)` is told. */
export function whereBar(info, where, change, label = "Restrict to documents") {
  const { fields = {}, holding = [], window = null } = where ?? {};
  const put = (next) => change(tidy({ fields, holding, window, ...next }));
  const chips = Object.entries(fields).flatMap(([name, wanted]) => {
    const values = [wanted].flat();
    return values.map((value) => chip(`${name}: ${shown(value)}`, () => {
      const left = values.filter((one) => one !== value);
      const { [name]: _, ...others } = fields;
      put({ fields: left.length ? { ...fields, [name]: left } : others });
    }));
  });
  const phrases = holding.map((phrase, place) =>
    chip(`holds ${Array.isArray(phrase) ? `ids ${phrase.join(" ")}` : `“${phrase}”`}${window === null ? "" : `, within ${plural(window, "token")}`}`,
      () => put({ holding: holding.filter((_, other) => other !== place) })));
  return el("div", { class: "where" }, ...chips, ...phrases, adder(info, fields, put, label));
}

/** The same `where` with one more value of a field. */
export function withValue(where, field, value) {
  const { fields = {}, holding = [], window = null } = where ?? {};
  const before = field in fields ? [fields[field]].flat() : [];
  return tidy({ fields: { ...fields, [field]: [...before.filter((one) => one !== value), value] }, holding, window });
}

function chip(text, remove) {
  return el("span", { class: "chip" }, el("bdi", {}, text), el("button", { type: "button", "aria-label": `Do not restrict to ${text}`, onclick: remove }, "×"));
}

function adder(info, fields, put, label) {
  if (!info.fields.length) return null;
  const id = `values-${Math.random().toString(36).slice(2)}`;
  const list = el("datalist", { id });
  const field = el("select", { "aria-label": "Field" }, ...info.fields.map((name) => el("option", { value: name }, name)));
  const value = el("input", { list: id, "aria-label": "Value", placeholder: "value, or 2019..2021", autocomplete: "off", required: true });
  const fault = el("span", { class: "fault", role: "alert" });
  const known = new Map();
  const fill = async () => {
    const name = field.value;
    known.clear();
    list.replaceChildren();
    try {
      const { groups } = await ask(info.name, "groups", { field: name });
      if (field.value !== name) return;
      for (const group of groups) known.set(shown(group.value), group.value);
      list.append(...groups.slice(0, LISTED).map((group) =>
        el("option", { value: shown(group.value) }, `${number(group.count)} documents`)));
    } catch (problem) {
      fault.textContent = problem.detail ?? String(problem);
    }
  };
  const details = el("details", { class: "adder" }, el("summary", {}, label),
    el("form", {
      class: "inline",
      onsubmit: (event) => {
        event.preventDefault();
        const found = parse(value.value, known);
        if (found === undefined) fault.textContent = `No document has the value “${value.value}” in the field ${field.value}.`;
        else put({ fields: withValue({ fields }, field.value, found).fields });
      },
    }, field, value, list, el("button", { type: "submit" }, "Add"), fault));
  details.addEventListener("toggle", () => details.open && fill());
  field.addEventListener("change", fill);
  return details;
}

/** A typed value: one that some document has, or an interval of integers, its end included; else undefined. */
function parse(text, known) {
  if (known.has(text)) return known.get(text);
  const interval = /^\s*(-?\d+)\s*\.\.\s*(-?\d+)\s*$/.exec(text);
  if (interval) return { from: Number(interval[1]), below: Number(interval[2]) + 1 };
  return known.size ? undefined : text;
}
