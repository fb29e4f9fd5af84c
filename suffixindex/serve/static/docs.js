// The API's own description, shown. Everything is put in as text, nothing as HTML.

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function typeName(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeName).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.type === "array") return `[${typeName(schema.items) || "any"}, …]`;
  if (schema.type === "object" && schema.additionalProperties) return `{field: ${typeName(schema.additionalProperties)}}`;
  return schema.type ?? "any";
}

function fields(schema, schemas) {
  const named = schema?.$ref ? schemas[schema.$ref.split("/").pop()] : schema;
  if (!named?.properties) return element("p", {}, typeName(schema));
  const rows = Object.entries(named.properties).map(([name, field]) =>
    element("tr", {},
      element("td", {}, element("code", {}, name)),
      element("td", {}, element("code", {}, typeName(field))),
      element("td", {}, [
        (named.required ?? []).includes(name) ? "required." : field.default !== undefined ? `default ${JSON.stringify(field.default)}.` : "",
        field.description ?? "",
      ].join(" "))));
  return rows.length ? element("table", {}, element("tbody", {}, ...rows)) : element("p", {}, "nothing");
}

function operation(path, method, about, schemas) {
  const body = about.requestBody?.content ?? {};
  const [kind, content] = Object.entries(body)[0] ?? [];
  const answer = about.responses?.["200"]?.content?.["application/json"]?.schema;
  const address = new URL(`.${path.replace("{index}", "INDEX")}`, document.baseURI);
  const sent = kind ? ` -H 'Content-Type: ${kind}' -d '…'` : "";
  return element("article", { id: about.operationId },
    element("h3", {}, element("code", {}, `${method.toUpperCase()} ${path}`)),
    element("p", {}, about.summary ?? ""),
    element("pre", {}, `curl ${address}${sent}`),
    ...(content ? [element("h4", {}, `Asked (${kind})`), fields(content.schema, schemas)] : []),
    ...(answer ? [element("h4", {}, "Answered"), fields(answer, schemas)] : []));
}

const response = await fetch(new URL("openapi.json", document.baseURI));
const api = await response.json();
const schemas = api.components?.schemas ?? {};
const groups = new Map();
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, about] of Object.entries(methods)) {
    const tag = about.tags?.[0] ?? "Other";
    groups.set(tag, [...(groups.get(tag) ?? []), { path, method, about }]);
  }
}
const LAST = "Bulk"; // of which most readers need none
if (groups.has(LAST)) {
  const bulk = groups.get(LAST);
  groups.delete(LAST);
  groups.set(LAST, bulk);
}
const main = document.getElementById("operations");
const contents = document.getElementById("contents");
main.replaceChildren();
for (const [tag, operations] of groups) {
  main.append(element("h2", {}, tag), ...operations.map(({ path, method, about }) => operation(path, method, about, schemas)));
  contents.append(element("h2", {}, tag), element("ul", {}, ...operations.map(({ about }) =>
    element("li", {}, element("a", { href: `#${about.operationId}` }, about.operationId)))));
}
main.append(element("h2", {}, "Types of fields"), ...Object.entries(schemas).map(([name, schema]) =>
  element("details", { id: `type-${name}` }, element("summary", {}, name), fields(schema, schemas))));
