/* The page: which indexes there are, what the address asks, and the mode that shows it. */

import { indexes } from "./api.js";
import { Compare } from "./compare.js";
import { el } from "./dom.js";
import { listen, showHelp } from "./keys.js";
import { DocumentView } from "./panels/document.js";
import { Phrase } from "./phrase.js";
import { describe } from "./problems.js";
import { DEFAULTS, read, sameValue, write } from "./state.js";
import { Text } from "./text.js";

const MODES = { phrase: ["Phrase", Phrase], text: ["Text", Text], compare: ["Compare", Compare] };

/** What all modes share: the indexes and the state, which changes by `set` alone. */
class App {
  constructor(infos) {
    this.infos = new Map(infos.map((info) => [info.name, info]));
    this.state = this.settled(read(location));
    this.main = document.getElementById("main");
    this.bar = document.getElementById("ask");
    this.document = new DocumentView(this);
    this.mode = null;
    window.addEventListener("popstate", () => {
      clearTimeout(this.writing);
      this.show(this.settled(read(location)));
    });
    listen(() => this.mode);
  }

  /** A state whose indexes are ones that are served. */
  settled(state) {
    const names = [...this.infos.keys()];
    const index = this.infos.has(state.index) ? state.index : names[0];
    return { ...state, index, index2: this.infos.has(state.index2) ? state.index2 : names.find((name) => name !== index) ?? index };
  }

  info(name = this.state.index) {
    return this.infos.get(name);
  }

  /**
   * Change the state; `push` makes a step to which the browser's Back returns. `lazy` is for what changes many times a second: browsers
   * refuse an address that is written that often.
   */
  set(changes, { push = false, lazy = false } = {}) {
    const state = this.settled({ ...this.state, ...changes });
    const shown = { ...state, index: this.infos.size > 1 ? state.index : "", index2: state.mode === "compare" ? state.index2 : "" };
    clearTimeout(this.writing);
    if (lazy) this.writing = setTimeout(() => history.replaceState(null, "", write(shown)), 250);
    else history[push ? "pushState" : "replaceState"](null, "", write(shown));
    this.show(state);
  }

  show(state) {
    const before = this.mode ? this.state : {};
    const changed = new Set(Object.keys(DEFAULTS).filter((name) => !sameValue(before[name], state[name])));
    this.state = state;
    if (changed.has("mode")) {
      this.mode?.close?.();
      this.main.replaceChildren();
      this.bar.replaceChildren();
      this.mode = new MODES[state.mode][1](this);
      for (const link of document.querySelectorAll("#modes a")) {
        if (link.dataset.mode === state.mode) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    }
    document.title = `${state.q || MODES[state.mode][0]} – suffixindex`;
    this.mode.update(changed);
    this.document.update(changed);
  }
}

function modeLinks(app) {
  return Object.entries(MODES).map(([mode, [title]]) => el("a", {
    href: `?mode=${mode}`,
    "data-mode": mode,
    onclick: (event) => {
      event.preventDefault();
      app.set({ mode, doc: null }, { push: true });
      app.mode.focus();
    },
  }, title));
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // no storage: until the page is left
  }
}

async function start() {
  const main = document.getElementById("main");
  try {
    const infos = await indexes();
    const app = new App(infos);
    document.getElementById("modes").replaceChildren(...modeLinks(app));
    app.show(app.state);
    main.dataset.ready = "true";
  } catch (problem) {
    if (!("kind" in problem)) console.error(problem);
    main.replaceChildren(describe(problem, start));
  }
}

document.getElementById("help-button").addEventListener("click", showHelp);
document.getElementById("theme-button").addEventListener("click", switchTheme);
await start();
