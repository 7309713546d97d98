// What can be taken away: the request as code, the graph and its drawing as files.

import { post } from "./api.js";
import { curl, python } from "./code.js";
import { $, download, say } from "./dom.js";

/** `request()` gives { call, values }, `shown()` what is drawn, `name()` and `svg()` its name and its drawing. */
export function listenForTaking({ request, shown, name, svg, problem }) {
  const menu = $("downloads");
  const close = () => {
    menu.open = false;
    menu.querySelector("summary").focus();
  };
  const save = async (kind) => {
    close();
    if (!shown()) return;
    try {
      const [file, text, type] = await made(kind, shown(), svg);
      download(`${name()}${file}`, text, type);
    } catch (error) {
      problem(error.message);
    }
  };
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () => request() && copy(button, request()));
  }
  for (const button of document.querySelectorAll("[data-download]")) {
    button.addEventListener("click", () => save(button.dataset.download));
  }
  document.addEventListener("keydown", (event) => event.key === "Escape" && menu.open && close());
  document.addEventListener("click", (event) => menu.contains(event.target) || (menu.open = false));
}

async function made(kind, { graph, workflow }, svg) {
  const json = (value) => JSON.stringify(value, null, 2);
  if (kind === "svg") return [".svg", svg(), "image/svg+xml"];
  if (kind === "graph") return [".api.json", json(graph), "application/json"];
  return [".json", json(workflow || (await post("/studio/workflow", { graph }))), "application/json"];
}

async function copy(button, { call, values }) {
  const [code, file] = { curl: [curl, "request.sh"], python: [python, "request.py"] }[button.dataset.copy];
  const text = code(call, values);
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    download(file, text, "text/plain");
    return;
  }
  const before = (button.dataset.name ??= button.textContent); // clicked again, it says "Copied" already
  button.textContent = "Copied";
  say("Copied");
  setTimeout(() => (button.textContent = before), 1500);
}
