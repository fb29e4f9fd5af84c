/* Elements, numbers and texts. Whatever comes from a corpus goes through `el`, which knows text and no HTML. */

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "open", "hidden", "tabIndex", "htmlFor", "className", "textContent"]);

/** An element with attributes (`on…` are listeners, `null` and `false` are left out) and children, strings as text. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (PROPERTIES.has(key)) made[key] = value;
    else made.setAttribute(key === "class" ? "class" : key, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en-US"));

/** A rate: three significant digits, no exponent. */
export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  return value >= 1000 ? number(Math.round(value)) : value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

export const percent = (share) =>
  Number.isFinite(share) ? `${(share * 100).toLocaleString("en-US", { maximumSignificantDigits: 3 })} %` : "–";

export function seconds(value) {
  if (value < 1) return `${rate(value * 1000)} ms`;
  return value < 120 ? `${rate(value)} s` : `${rate(value / 60)} minutes`;
}

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** A piece of text with its white space shown, so that `the` and ` the` look as different as they are. */
export function visible(piece) {
  if (piece === "") return "∅";
  return piece.replace(/^ +| +$/g, (spaces) => "␣".repeat(spaces.length)).replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/\r/g, "␍");
}

/** What a piece looks like on the page: white space set apart from letters. */
export function pieceOf(piece) {
  const shown = visible(piece);
  return el("bdi", { class: "piece-text" }, ...shown.split(/([␣⏎⇥␍∅]+)/).filter(Boolean).map((part) =>
    /^[␣⏎⇥␍∅]/.test(part) ? el("span", { class: "space" }, part) : part));
}

/** A bar whose length is a share of 1. */
export function bar(share) {
  const made = el("span", { class: "bar", "aria-hidden": "true" });
  made.style.setProperty("--share", String(Math.max(0, Math.min(1, share || 0))));
  return made;
}

/** Read aloud by screen readers, once. */
export function say(sentence) {
  const said = document.getElementById("said");
  if (said) said.textContent = sentence;
}

/** A value of the metadata: a link if it is an address of the web, else text. */
export function valueOf(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  let address = null;
  try {
    address = typeof value === "string" && /^https?:\/\//i.test(value) ? new URL(value) : null;
  } catch {
    address = null;
  }
  if (!address || !["http:", "https:"].includes(address.protocol)) return el("bdi", {}, text);
  return el("a", { href: address.href, rel: "noreferrer noopener", target: "_blank" }, text);
}
