/* A panel: a title, what can be taken from it, and a body that loads by itself. An answer to an older question is dropped. */

import { el, say } from "./dom.js";
import { menu } from "./export.js";
import { describe, passes } from "./problems.js";

const RETRIES = 3;

export class Panel {
  /** `name` is its id and the name of its files; `note` stands beside the title. */
  constructor(name, title, { level = "h2", tools = [] } = {}) {
    this.name = name;
    this.note = el("p", { class: "note", "aria-live": "polite" });
    this.body = el("div", { class: "body" });
    this.export = el("div", { class: "export" });
    this.heading = el(level, { id: `${name}-title` }, title);
    this.element = el("section", { class: `panel ${name}`, id: name, "aria-labelledby": `${name}-title`, hidden: true },
      el("header", {}, this.heading, this.note, ...tools, this.export), this.body);
    this.asked = 0;
    this.controller = null;
  }

  /** Ask with `work(signal)`, then draw with `show(answer)`; `instead(problem)` offers other ways where there is no answer. */
  async load(work, show, { instead = () => [], tries = 0 } = {}) {
    const asked = this.begin();
    try {
      const answer = await work(this.controller.signal);
      if (asked !== this.asked) return;
      this.body.replaceChildren();
      show(answer);
    } catch (problem) {
      if (asked !== this.asked || problem.name === "AbortError") return;
      this.fail(problem, () => this.load(work, show, { instead }), instead(problem));
      if (passes(problem) && tries < RETRIES) {
        const wait = Math.min(problem.retryAfter, 30);
        this.note.textContent = `Asks again in ${wait} s`;
        setTimeout(() => asked === this.asked && this.load(work, show, { instead, tries: tries + 1 }), wait * 1000);
      }
    } finally {
      if (asked === this.asked) this.element.setAttribute("aria-busy", "false");
    }
  }

  /** Drop what is under way and show that something is asked; the old answer stays, pale, so that nothing jumps. */
  begin() {
    this.controller?.abort();
    this.controller = new AbortController();
    this.element.hidden = false;
    this.element.setAttribute("aria-busy", "true");
    this.note.textContent = "";
    if (!this.body.firstChild) this.body.append(el("p", { class: "loading" }, "Loading …"));
    return ++this.asked;
  }

  fail(problem, again, instead) {
    this.export.replaceChildren();
    this.body.replaceChildren(describe(problem, again, instead));
    if (!("kind" in problem)) console.error(problem);
  }

  /** What this panel gives away: `{questions, answer, rows}`, see export.js. */
  offer(given) {
    this.export.replaceChildren(menu(this.name, this.heading.textContent, given));
  }

  /** A sentence about the answer, read aloud too. */
  tell(sentence) {
    this.note.textContent = sentence;
  }

  /** What is shown answers an older question: pale until the new one is asked. */
  stale() {
    this.controller?.abort();
    this.asked += 1;
    if (!this.element.hidden) this.element.setAttribute("aria-busy", "true");
  }

  hide() {
    this.controller?.abort();
    this.asked += 1;
    this.element.hidden = true;
    this.body.replaceChildren();
    this.export.replaceChildren();
    this.note.textContent = "";
  }
}

/** A group of buttons of which one is pressed. */
export function choices(label, options, chosen, choose) {
  return el("div", { class: "choices", role: "group", "aria-label": label }, ...options.map(([value, text, hint]) =>
    el("button", {
      type: "button",
      "data-value": value,
      title: hint ?? null,
      "aria-pressed": String(value === chosen),
      onclick: () => {
        choose(value);
        say(`${label}: ${text}`);
      },
    }, text)));
}

/** Press the button of a group that stands for a value. */
export function press(group, value) {
  for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.value === value));
}
