/* What stands in a panel that has no answer: why, what it would have cost, and what can be done. */

import { Problem, token } from "./api.js";
import { el, seconds } from "./dom.js";

const TITLES = {
  "too-expensive": "Too expensive",
  "server-overloaded": "The server is busy",
  "too-slow": "Stopped: it took too long",
  draining: "The server is stopping",
  unreachable: "No connection",
  unauthorized: "A token is needed",
  "no-index": "No such index",
  malformed: "Not understood",
  "answer-too-large": "Too large an answer",
};

/** Whether it helps to ask the same again in a while. */
export const passes = (problem) => problem.retryAfter !== null;

/** One short phrase, where there is no room for more. */
export function brief(problem) {
  const { price_seconds: price } = problem.more ?? {};
  return problem.kind === "too-expensive" && price ? `too expensive (about ${seconds(price)})` : (TITLES[problem.kind] ?? "no answer").toLowerCase();
}

/** A message with its remedies; `again` asks once more, `instead` are buttons of other ways. */
export function describe(problem, again, instead = []) {
  const known = problem instanceof Problem;
  const title = known ? (TITLES[problem.kind] ?? "No answer") : "The page failed";
  const detail = known ? problem.detail : `${problem.name}: ${problem.message}`;
  const { price_seconds: price, budget_seconds: budget } = problem.more ?? {};
  const actions = el("div", { class: "actions" }, ...instead);
  if (again && problem.kind !== "too-expensive") actions.append(el("button", { type: "button", onclick: again }, "Try again"));
  return el("div", { class: `problem ${problem.kind ?? "failed"}`, role: "alert" },
    el("h3", {}, title),
    price ? el("p", { class: "cost" }, `Cost: about ${seconds(price)}. This server spends at most ${seconds(budget)} on a question.`) : null,
    price ? null : el("p", {}, detail),
    problem.kind === "unauthorized" ? tokenForm(again) : null,
    price ? el("p", { class: "hint" }, "Extend the phrase, or restrict it less: the cost grows with the number of occurrences.") : null,
    actions);
}

function tokenForm(again) {
  const input = el("input", { type: "password", autocomplete: "off", required: true, "aria-label": "Token" });
  return el("form", {
    class: "inline",
    onsubmit: (event) => {
      event.preventDefault();
      token.set(input.value.trim());
      again?.();
    },
  }, input, el("button", { type: "submit" }, "Use this token"));
}
