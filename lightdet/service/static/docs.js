// The description of the API for people, from openapi.json; loads nothing from elsewhere.

import { $, make } from "./dom.js";

const link = (name) => name?.replace("#/components/schemas/", "");

function typeOf(schema = {}) {
  if (schema.$ref) return make("a", { href: `#${link(schema.$ref)}` }, link(schema.$ref));
  if (schema.anyOf) return joined(schema.anyOf.filter((each) => each.type !== "null").map(typeOf), " or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return joined(["list of ", typeOf(schema.items ?? schema.prefixItems?.[0])], "");
  return schema.type ?? "";
}

function joined(parts, between) {
  const span = make("span");
  parts.forEach((part, i) => span.append(i ? between : "", part));
  return span;
}

function table(rows) {
  return make("div", { class: "scroll" }, make("table", {}, make("tbody", {},
    ...rows.map((cells) => make("tr", {}, ...cells.map((cell, i) => make(i ? "td" : "th", i ? {} : { scope: "row" }, cell ?? "")))))));
}

function bounds(schema) {
  const told = [];
  if (schema.minimum !== undefined) told.push(`from ${schema.minimum}`);
  if (schema.maximum !== undefined) told.push(`to ${schema.maximum}`);
  if (schema.default !== undefined && schema.default !== null) told.push(`default ${schema.default}`);
  return told.join(", ");
}

function route(method, path, operation) {
  const parameters = (operation.parameters ?? []).map((each) => [each.name, typeOf(each.schema), [(each.description ?? each.schema.description)?.replace(/\.$/, ""), bounds(each.schema)].filter(Boolean).join("; ")]);
  const answers = Object.entries(operation.responses).filter(([status, answer]) => !(status === "422" && answer.description === "Validation Error"))
    .map(([status, answer]) => {
      const schema = Object.values(answer.content ?? {})[0]?.schema;
      const kinds = Object.keys(answer.content ?? {}).filter((kind) => kind !== "application/json").join(", ");
      return [status, schema?.$ref ? typeOf(schema) : kinds, answer.description];
    });
  return make("section", { class: "route" },
    make("h3", {}, make("span", { class: "method" }, method.toUpperCase()), path),
    make("p", {}, operation.description ?? ""),
    operation.requestBody ? make("p", { class: "soft" }, `${operation.requestBody.description} (${Object.keys(operation.requestBody.content).join(", ")})`) : null,
    parameters.length ? table(parameters) : null,
    make("details", {}, make("summary", {}, "Answers"), table(answers)));
}

function schemaOf(name, schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([key, value]) => [key, typeOf(value), value.description ?? ""]);
  return make("section", { class: "route", id: name }, make("h3", {}, name), make("p", {}, schema.description ?? ""), table(rows));
}

const base = location.href.replace(/docs.*$/, "");
$("example").textContent = `curl --data-binary @part.jpg -H "Content-Type: image/jpeg" "${base}api/detect?name=part-4711"`;
const api = await (await fetch("openapi.json")).json();
$("version").textContent = `version ${api.info.version}`;
for (const tag of ["pictures", "records", "status"]) {
  $("routes").append(make("h2", {}, tag[0].toUpperCase() + tag.slice(1)));
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (operation.tags?.includes(tag)) $("routes").append(route(method, path, operation));
    }
  }
}
$("routes").append(make("h2", {}, "Shapes"));
for (const [name, schema] of Object.entries(api.components.schemas)) {
  if (!/ValidationError$/.test(name)) $("routes").append(schemaOf(name, schema));
}
