// A workflow that was dropped on the page: what it is, and what there is to say about it.

import { $, el, withCode } from "./dom.js";

const KINDS = { ui: "workflow, converted to the API format", api: "API graph" };

export function showOpened(opened, graph) {
  swap(true);
  graph.clear();
  graph.show(opened.svg);
  graph.mark(opened.bad_nodes);
  const verdict = opened.valid ? `${opened.target} would run it` : `${opened.target} would not run it`;
  $("opened").replaceChildren(
    el("h2", {}, opened.name),
    el("p", { class: "quiet" }, `${opened.nodes} nodes · ${KINDS[opened.kind]}`),
    el("p", { class: `verdict ${opened.valid ? "good" : "bad"}` }, verdict),
    ...section("What is wrong", opened.faults, "fault-list", graph),
    ...section("What to know", opened.findings, "warnings", graph),
  );
  $("facts").replaceChildren();
}

export const hideOpened = () => swap(false);

function swap(on) {
  $("form").hidden = $("run").hidden = $("meter").hidden = on;
  $("opened").hidden = $("back").hidden = !on;
  for (const button of document.querySelectorAll("[data-copy]")) button.disabled = on;
}

function section(title, rows, kind, graph) {
  if (!rows.length) return [];
  const place = ({ field, node }) =>
    node === undefined
      ? el("strong", {}, field)
      : el("button", { type: "button", class: "place", title: "Show it", onclick: () => graph.reveal(node) }, field);
  const items = rows.map((row) => el("li", {}, place(row), " ", ...withCode(`${row.fault}${row.cure ? `. ${row.cure}` : ""}`)));
  return [el("h3", {}, title), el("ul", { class: kind }, ...items)];
}
