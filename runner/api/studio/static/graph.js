// The drawing: put on the page, moved and zoomed, and coloured by what its nodes do.

import { el } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const STATES = ["running", "cached", "done", "failed"];
const READABLE = 0.62; // from this scale on, names of nodes can be read
const SMALLEST = 0.5; // and from this one on their kinds can be told
const LARGEST = 2.5;
const EDGE = 18;

export function graphView(canvas) {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  let svg = null;
  let size = { width: 1, height: 1 };
  let view = { x: 0, y: 0, scale: 1 };
  let touched = false;
  let fitted = true;
  const states = new Map();

  // --- drawing ---

  /** Shows an SVG text. Its style sheet is taken out and adopted: the page's policy allows no inline styles. */
  function show(text) {
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
  }

  function steps(group, text) {
    let label = group.querySelector("text.steps");
    if (!label && text) {
      label = document.createElementNS(SVG, "text");
      label.setAttribute("class", "steps");
      label.setAttribute("text-anchor", "end");
      label.setAttribute("x", group.querySelector(".body").getAttribute("width") - 11);
      label.setAttribute("y", 17);
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
  }

  /** Marks nodes that a check has something against. */
  function mark(nodes) {
    for (const node of nodes) find(node)?.classList.add("failed");
  }

  const live = (on) => canvas.classList.toggle("live", on);
  const text = () => {
    if (!svg) return "";
    const copy = svg.cloneNode(true);
    copy.removeAttribute("style");
    const style = document.createElementNS(SVG, "style");
    style.textContent = [...sheet.cssRules].map((rule) => rule.cssText).join("\n");
    copy.prepend(style);
    return new XMLSerializer().serializeToString(copy);
  };

  listen(canvas, { zoom, move, fit, home });
  light(canvas);
  new ResizeObserver(() => svg && (touched && !fitted ? place() : touched ? fit() : home())).observe(canvas);
  return { show, empty, set, stop, clear, mark, live, zoom, fit, text };
}

function sameNodes(before, after) {
  const ids = (svg) => [...svg.querySelectorAll("[data-node]")].map((node) => node.dataset.node).join();
  return ids(before) === ids(after);
}

/** Pointers, wheel and keys. One finger moves sideways and scrolls the page up and down; two zoom. */
function listen(canvas, { zoom, move, fit }) {
  const pointers = new Map();
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  const settle = () => canvas.querySelector("svg")?.classList.remove("gliding");
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    settle();
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("held");
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const before = pointers.size === 2 ? spread() : 0;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.size === 1) move(event.clientX - last.x, event.clientY - last.y);
    else if (pointers.size === 2 && before) {
      const [a, b] = [...pointers.values()];
      const around = canvas.getBoundingClientRect();
      zoom(spread() / before, (a.x + b.x) / 2 - around.left, (a.y + b.y) / 2 - around.top);
    }
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, (event) => {
      pointers.delete(event.pointerId);
      if (!pointers.size) canvas.classList.remove("held");
    });
  }
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      settle();
      const around = canvas.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 200), event.clientX - around.left, event.clientY - around.top);
      else if (event.shiftKey) move(-event.deltaY, 0);
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(-event.deltaX, 0);
      else zoom(Math.exp(-event.deltaY / 500), event.clientX - around.left, event.clientY - around.top);
    },
    { passive: false },
  );
  const keys = {
    ArrowLeft: () => move(60, 0),
    ArrowRight: () => move(-60, 0),
    ArrowUp: () => move(0, 60),
    ArrowDown: () => move(0, -60),
    "+": () => zoom(1.25),
    "=": () => zoom(1.25),
    "-": () => zoom(0.8),
    0: fit,
  };
  canvas.addEventListener("keydown", (event) => {
    const work = !event.ctrlKey && !event.metaKey && keys[event.key];
    if (!work) return;
    event.preventDefault();
    settle();
    work();
  });
}

/** The links of the node under the pointer stand out. */
function light(canvas) {
  canvas.addEventListener("pointerover", (event) => {
    const node = event.target.closest?.("[data-node]")?.dataset.node;
    const svg = canvas.querySelector("svg");
    if (!svg || canvas.classList.contains("held")) return;
    svg.classList.toggle("lit", Boolean(node));
    for (const link of svg.querySelectorAll(".link")) {
      link.classList.toggle("near", node !== undefined && (link.dataset.from === node || link.dataset.to === node));
    }
  });
}
