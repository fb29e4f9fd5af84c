/* Questions to the server: `/v1/{index}/{question}` as it describes itself, and what it says where there is no answer. */

const TOKEN = "suffixindex-token";

/** Why there is no answer: `kind` is the problem's type, `detail` one sentence. */
export class Problem extends Error {
  constructor({ type = "error", detail = "", status = 0, ...more }, retryAfter = null) {
    super(detail);
    Object.assign(this, { kind: type, detail, status, retryAfter, more });
  }
}

export const address = (path) => new URL(path, document.baseURI);
export const questionAddress = (index, question) => address(`v1/${encodeURIComponent(index)}/${question}`);

/** The token of this server, kept for as long as the tab is open. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => sessionStorage.setItem(TOKEN, value),
};

async function send(url, options) {
  const headers = { Accept: "application/json", ...options.headers };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  let response;
  try {
    response = await fetch(url, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ type: "unreachable", detail: "The server does not answer: it may have stopped, or the network is down." });
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content !== null) return content;
  const after = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const told = content && typeof content.detail === "string" ? content : { detail: `The server answered ${response.status}.` };
  throw new Problem({ ...told, status: response.status }, Number.isFinite(after) ? after : null);
}

export const indexes = (signal) => send(address("v1/indexes"), { signal }).then((answer) => answer.indexes);

/** One question of the own API; `where` that restricts nothing is left out. */
export function ask(index, question, body, signal) {
  return send(questionAddress(index, question), {
    method: "POST",
    signal,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(clean(body)),
  });
}

/** Ten occurrences drawn at random, which costs the same however many there are (with replacement, so some may be twice). */
export function drawn(index, ids, width, signal) {
  return send(address("./"), {
    method: "POST",
    signal,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ index, query_type: "search_docs", query_ids: ids, maxnum: 10, max_disp_len: ids.length + 2 * width }),
  }).then((answer) => {
    if (answer.error) throw new Problem({ detail: answer.error });
    return answer;
  });
}

/** A body as it is sent. */
export function clean(body) {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== undefined));
}
