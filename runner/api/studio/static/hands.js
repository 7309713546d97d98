// Moving and zooming a drawing: pointers, wheel, keys.

/** Pointers, wheel and keys. One finger moves sideways and scrolls the page up and down; two zoom. */
export function listen(canvas, { zoom, move, fit }) {
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
export function light(canvas) {
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
