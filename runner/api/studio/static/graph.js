// The drawing: put on the page, moved and zoomed, and coloured by what its nodes do.

import { el } from "./dom.js";
import { light, listen } from "./hands.js";

const SVG = "http://www.w3.org/2000/svg";
const STATES = ["running", "cached", "done", "failed"];
const READABLE = 0.62; // from this scale on, names of nodes can be read
const SMALLEST = 0.5; // and from this one on their kinds can be told
const LARGEST = 2.5;
const EDGE = 18;
const MARKS = { done: "✓", cached: "↺", failed: "!" };

export function graphView(canvas) {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  let svg = null;
  let size = { width: 1, height: 1 };
  let view = { x: 0, y: 0, scale: 1 };
  let touched = false;
  let fitted = true;
  let source = "";
  const states = new Map();

  // --- drawing ---

  /** Shows an SVG text. Its style sheet is taken out and adopted: the page's policy allows no inline styles. */
  function show(text) {
    source = text;
    const [, style = ""] = text.match(/<style>([^<]*)<\/style>/) || [];
    const parsed = new DOMParser().parseFromString(text.replace(/<style>[^<]*<\/style>/, ""), "image/svg+xml").documentElement;
    sheet.replaceSync(style);
    const known = svg && sameNodes(svg, parsed);
    svg = document.importNode(parsed, true);
    size = { width: svg.width.baseVal.value, height: svg.height.baseVal.value };
    canvas.replaceChildren(svg);
    canvas.classList.remove("empty");
    if (known && touched) place();
    else home();
    for (const [node, state] of states) paint(node, state);
  }

  function empty(text) {
    svg = null;
    source = "";
    canvas.replaceChildren(el("p", { class: "quiet" }, text));
    canvas.classList.add("empty");
  }

  // --- where one looks ---

  function place() {
    const limit = (value, extent, room) =>
      extent <= room ? Math.max(0, Math.min(value, room - extent)) : Math.min(EDGE, Math.max(value, room - extent - EDGE));
    view.x = limit(view.x, size.width * view.scale, canvas.clientWidth);
    view.y = limit(view.y, size.height * view.scale, canvas.clientHeight);
    if (svg) svg.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    canvas.dataset.scale = view.scale.toFixed(3);
  }

  const wholeScale = () =>
    Math.min((canvas.clientWidth - 2 * EDGE) / size.width, (canvas.clientHeight - 2 * EDGE) / size.height, 1);

  /** All of it where that can be read, else its beginning. */
  function home() {
    const whole = wholeScale();
    touched = false;
    fitted = whole >= READABLE;
    look(fitted ? whole : Math.max(SMALLEST, Math.min(0.8, (canvas.clientHeight - 2 * EDGE) / size.height)));
  }

  function fit() {
    touched = true;
    fitted = true;
    look(wholeScale());
  }

  function look(scale) {
    view = { scale, x: EDGE, y: (canvas.clientHeight - size.height * scale) / 2 };
    if (size.width * scale < canvas.clientWidth) view.x = (canvas.clientWidth - size.width * scale) / 2;
    place();
  }

  function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const scale = Math.min(LARGEST, Math.max(Math.min(wholeScale(), 0.3), view.scale * factor));
    view.x = x - ((x - view.x) * scale) / view.scale;
    view.y = y - ((y - view.y) * scale) / view.scale;
    view.scale = scale;
    touched = true;
    fitted = false;
    place();
  }

  function move(x, y) {
    view.x += x;
    view.y += y;
    touched = true;
    place();
  }

  /** Brings a node into sight, unless somebody looks elsewhere on purpose. */
  function follow(node) {
    const group = find(node);
    if (!group || touched || fitted) return;
    const box = group.getBoundingClientRect();
    const around = canvas.getBoundingClientRect();
    if (box.left >= around.left && box.right <= around.right && box.top >= around.top && box.bottom <= around.bottom) return;
    view.x += around.left + around.width / 2 - (box.left + box.width / 2);
    view.y += around.top + around.height / 2 - (box.top + box.height / 2);
    svg.classList.add("gliding");
    place();
  }

  /** Brings a node into the middle, large enough to be read. */
  function reveal(node) {
    const box = find(node)?.querySelector(".body").getBBox();
    if (!box) return;
    const at = find(node).transform.baseVal.consolidate().matrix;
    view.scale = Math.max(view.scale, 0.8);
    view.x = canvas.clientWidth / 2 - (at.e + box.width / 2) * view.scale;
    view.y = canvas.clientHeight / 2 - (at.f + Math.min(box.height, canvas.clientHeight) / 2) * view.scale;
    touched = true;
    fitted = false;
    svg.classList.add("gliding");
    place();
    canvas.scrollIntoView({ block: "nearest" });
  }

  // --- what the nodes do ---

  const find = (node) => svg?.querySelector(`[data-node="${CSS.escape(node)}"]`);

  function set(node, state) {
    states.set(node, state);
    paint(node, state);
    if (state.state === "running") follow(node);
  }

  function paint(node, { state, value, max }) {
    const group = find(node);
    if (!group) return;
    group.classList.remove(...STATES);
    group.classList.add(state);
    group.dataset.state = state;
    const share = state === "running" && max > 1 ? value / max : 0;
    group.style.setProperty("--progress", share);
    steps(group, share ? `${value}/${max}` : "");
    badge(group, state);
  }

  /** A sign on the node's corner: colours alone do not tell everybody what a node did. */
  function badge(group, state) {
    group.querySelector(".badge-state")?.remove();
    if (!MARKS[state]) return;
    const x = Number(group.querySelector(".body").getAttribute("width"));
    const made = svgEl("g", { class: "badge-state" }, svgEl("circle", { cx: x, cy: 0, r: 8 }), svgEl("text", { x, y: 4, "text-anchor": "middle" }, MARKS[state]));
    group.append(made);
  }

  function steps(group, text) {
    let label = group.querySelector("text.steps");
    if (!label && text) {
      const x = group.querySelector(".body").getAttribute("width") - 11;
      label = svgEl("text", { class: "steps", "text-anchor": "end", x, y: group.querySelector(".badge") ? 31 : 17 });
      group.append(label);
    }
    if (label) label.textContent = text;
  }

  function clear() {
    states.clear();
    for (const group of svg?.querySelectorAll("[data-state]") || []) unpaint(group);
  }

  /** Nothing runs any more: what was running has no end of its own. */
  function stop() {
    for (const [node, state] of states) {
      if (state.state !== "running") continue;
      states.delete(node);
      unpaint(find(node));
    }
  }

  function unpaint(group) {
    if (!group) return;
    group.classList.remove(...STATES);
    delete group.dataset.state;
    group.style.removeProperty("--progress");
    steps(group, "");
    badge(group, "");
  }

  /** Marks nodes that a check has something against. */
  function mark(nodes) {
    for (const node of nodes) if (find(node)) paint(node, { state: "failed" });
  }

  const live = (on) => canvas.classList.toggle("live", on);
  /** The drawing as it came, without what a job did to it. */
  const text = () => source;

  listen(canvas, { zoom, move, fit, home });
  light(canvas);
  new ResizeObserver(() => svg && (touched && !fitted ? place() : touched ? fit() : home())).observe(canvas);
  return { show, empty, set, stop, clear, mark, live, zoom, fit, reveal, text };
}

function svgEl(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function sameNodes(before, after) {
  const ids = (svg) => [...svg.querySelectorAll("[data-node]")].map((node) => node.dataset.node).join();
  return ids(before) === ids(after);
}
