/* All that the page shows, as its address: the query string, and a pasted text in the fragment, which no server sees. */

export const DEFAULTS = Object.freeze({
  mode: "phrase",
  index: "",
  q: "",
  ids: null,
  where: null,
  by: "",
  unit: "occurrences",
  sort: "corpus",
  view: "lines",
  width: 8,
  near: "",
  window: null,
  index2: "",
  where2: null,
  min: 4,
  max: 0,
  shade: "length",
  doc: null,
  of: "index",
  at: null,
  mark: null,
  text: "",
});

const CHOICES = {
  mode: ["phrase", "text", "compare"],
  unit: ["occurrences", "documents"],
  sort: ["corpus", "left", "right"],
  view: ["lines", "documents"],
  shade: ["length", "rarity"],
  of: ["index", "index2"],
};

const readers = {
  ids: ids,
  mark: ids,
  where: restriction,
  where2: restriction,
  window: (text) => integer(text, 0),
  width: (text) => Math.min(integer(text, 1) ?? DEFAULTS.width, 50),
  min: (text) => integer(text, 1),
  max: (text) => integer(text, 0),
  doc: (text) => integer(text, 0),
  at: (text) => integer(text, 0),
};

function integer(text, least) {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : null;
  return value !== null && value >= least ? value : null;
}

function ids(text) {
  return /^\d{1,10}(,\d{1,10})*$/.test(text) ? text.split(",").map(Number) : null;
}

/** A `where` as the API takes it; null if it restricts nothing or is none. */
function restriction(text) {
  try {
    const given = JSON.parse(text);
    return tidy({ fields: given.fields ?? {}, holding: given.holding ?? [], window: given.window ?? null });
  } catch {
    return null;
  }
}

export function tidy(where) {
  if (!where || typeof where.fields !== "object" || !Array.isArray(where.holding)) return null;
  const made = {};
  if (Object.keys(where.fields).length) made.fields = where.fields;
  if (where.holding.length) {
    made.holding = where.holding;
    if (where.window !== null && where.window !== undefined) made.window = where.window;
  }
  return Object.keys(made).length ? made : null;
}

export const sameValue = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);

/** The state that an address means; what it says wrongly is left as it is by default. */
export function read(location) {
  const state = { ...DEFAULTS };
  for (const [name, text] of new URLSearchParams(location.search)) {
    if (!Object.hasOwn(DEFAULTS, name) || name === "text") continue;
    const value = Object.hasOwn(readers, name) ? readers[name](text) : text;
    if (value === null || (Object.hasOwn(CHOICES, name) && !CHOICES[name].includes(value))) continue;
    state[name] = value;
  }
  state.text = new URLSearchParams(location.hash.slice(1)).get("text") ?? "";
  return state;
}

/** The address of a state, without what is as by default. */
export function write(state) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (!(name in DEFAULTS) || name === "text" || sameValue(value, DEFAULTS[name])) continue;
    query.set(name, Array.isArray(value) ? value.join(",") : typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  const fragment = state.text ? `#${new URLSearchParams({ text: state.text })}` : "";
  const search = query.toString();
  return `${search ? `?${search}` : "./"}${fragment}`;
}

/** The phrase that is asked for: ids if it was extended token by token, else text. */
export const phraseOf = (state) => state.ids ?? state.q;
