// The page: what is asked on the left, what becomes of it on the right.

import { get, post, Problem, setKey, upload, whenKeyIsMissing } from "./api.js";
import { curl, python } from "./code.js";
import { $, debounced, download, el, say, withCode } from "./dom.js";
import { buildForm } from "./form.js";
import { graphView } from "./graph.js";
import { jobList } from "./jobs.js";
import { hideOpened, showOpened } from "./opened.js";
import { resultView } from "./result.js";
import { runner } from "./run.js";

const REDRAW_MS = 300;
const graph = graphView($("canvas"));
const result = resultView($("result"));
const jobs = jobList($("jobs"), openJob);
const run = runner({ graph, result, jobs, problem, drawnKey: () => drawnKey });
let chosen = null; // the form's description: target, schema, call
let form = null;
let drawn = null; // the last answer that is shown
let drawnKey = ""; // the request that it is of
let compiling = null;
let file = null; // an opened workflow

// --- asking ------------------------------------------------------------------------------------------------------

const keyOf = (target, values) => JSON.stringify([target, values]);
const redraw = debounced(() => compile(), REDRAW_MS);

async function choose(target, values) {
  file = null;
  hideOpened();
  chosen = await get(`/studio/form?target=${encodeURIComponent(target)}`);
  $("target").value = target;
  $("about").replaceChildren(el("code", {}, chosen.id), ...withCode(chosen.description ? ` · ${chosen.description}` : ""));
  form = buildForm($("form"), chosen.schema, values || chosen.values, redraw);
  problem("");
  history.replaceState(null, "", `#${encodeURIComponent(target)}`);
  await compile();
}

/** Draws what the form asks for; media that are missing are stood in for, so that there is something to see. */
async function compile(wanted = new Set()) {
  if (!form || file) return undefined;
  const { values, bad } = form.read({ standIns: true, wanted });
  compiling?.abort();
  const mine = (compiling = new AbortController());
  try {
    if (bad.length) throw new Problem(400, { message: "", faults: bad });
    const answer = await post("/studio/compile", { target: chosen.target, values }, { signal: mine.signal });
    if (mine.signal.aborted) return undefined;
    problem("");
    form.clear();
    return showCompiled(answer, keyOf(chosen.target, form.read().values));
  } catch (error) {
    if (mine.signal.aborted || error.name === "AbortError") return undefined;
    const missing = (error.faults || []).filter((fault) => fault.code === "required").map((fault) => fault.field);
    const more = form.mediaFor(missing).filter((field) => !wanted.has(field));
    if (more.length) return compile(new Set([...wanted, ...more]));
    refused(error, false);
    if (!drawn) graph.empty("The graph appears once the fields fit.");
    return undefined;
  }
}

/** Whether all that runs graphs here is the sandbox, which must never be taken for the real thing. */
const engines = fetch("/readyz")
  .then((answer) => answer.json())
  .then((answer) => Object.keys(answer.engines))
  .then((names) => names.length > 0 && names.every((name) => name.startsWith("sandbox")))
  .catch(() => false);

async function showCompiled(answer, key) {
  drawn = answer;
  drawnKey = key;
  graph.clear();
  graph.show(answer.svg);
  run.paint();
  $("engine").textContent = (await engines) ? `sandbox, like ${answer.target}: placeholders, no models` : answer.target;
  const facts = [count(answer.nodes, "node"), answer.steps ? count(answer.steps, "sampler step") : ""].filter(Boolean);
  const rows = answer.warnings.map(({ field, why }) => el("li", {}, el("strong", {}, field), ` ${why}`));
  const files = answer.files.map((one) => el("li", {}, el("code", {}, `${one.folder}/${one.file}`)));
  $("facts").replaceChildren(
    el("p", { class: "quiet" }, facts.join(" · ")),
    files.length ? el("details", {}, el("summary", {}, count(files.length, "model file")), el("ul", {}, ...files)) : "",
    ...(rows.length ? [el("h3", {}, "Not honoured"), el("ul", { class: "warnings" }, ...rows)] : []),
  );
}

const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

function refused(error, focus) {
  if (!(error instanceof Problem)) {
    problem(error instanceof TypeError ? "The server cannot be reached." : String(error.message || error));
    return;
  }
  const others = form ? form.faults(error.faults, focus) : [];
  problem(error.faults.length && form ? others.join("\n") : error.message);
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

// --- running -----------------------------------------------------------------------------------------------------

async function submit() {
  if (!form || file || $("run").disabled) return;
  const { values, bad } = form.read();
  problem("");
  form.clear();
  $("run").disabled = true;
  try {
    if (bad.length) throw new Problem(400, { message: "", faults: bad });
    const { id } = await post("/studio/jobs", { target: chosen.target, values });
    run.watch(id, keyOf(chosen.target, values));
    jobs.refresh();
    if (matchMedia("(max-width: 760px)").matches) $("canvas").scrollIntoView({ block: "center", behavior: "smooth" });
  } catch (error) {
    refused(error, true);
  } finally {
    $("run").disabled = false;
  }
}

/** Shows a job of the list: its form, its graph, its result. */
async function openJob(job) {
  try {
    const [{ target }, whole] = await Promise.all([get(`/studio/jobs/${job.id}`), get(`/v1/jobs/${job.id}`)]);
    if (target) await choose(target, whole.request);
    run.watch(job.id, target && form ? keyOf(target, form.read().values) : "");
  } catch (error) {
    refused(error, false);
  }
}

// --- files in and out --------------------------------------------------------------------------------------------

async function openFile(given) {
  if (!given) return;
  problem("");
  try {
    const answer = await upload("/studio/open", given);
    run.leave();
    file = { ...answer, name: given.name };
    drawnKey = "";
    showOpened(file, graph);
    say(`${file.name} opened: ${file.valid ? "valid" : "not valid"}`);
  } catch (error) {
    problem(`${given.name}: ${error.message}`);
  }
}

async function copy(kind, button) {
  const text = (kind === "curl" ? curl : python)(chosen.call, form.read().values);
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    download(kind === "curl" ? "request.sh" : "request.py", text, "text/plain");
    return;
  }
  const before = button.textContent;
  button.textContent = "Copied";
  say("Copied");
  setTimeout(() => (button.textContent = before), 1500);
}

async function save(kind) {
  const shown = file || drawn;
  $("downloads").open = false;
  if (!shown) return;
  const name = file ? file.name.replace(/\.\w+$/, "") : chosen.id.replaceAll("/", "-");
  const json = (value) => JSON.stringify(value, null, 2);
  try {
    if (kind === "svg") download(`${name}.svg`, graph.text(), "image/svg+xml");
    else if (kind === "graph") download(`${name}.api.json`, json(shown.graph), "application/json");
    else {
      const workflow = shown.workflow || (await post("/studio/workflow", { graph: shown.graph }));
      download(`${name}.json`, json(workflow), "application/json");
    }
  } catch (error) {
    problem(error.message);
  }
}

// --- the key -----------------------------------------------------------------------------------------------------

function askForKey(wasRefused) {
  const dialog = $("key");
  $("key-fault").hidden = !wasRefused;
  $("key-fault").textContent = wasRefused ? "This key was not accepted." : "";
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => {
      const text = $("key-text").value.trim();
      $("key-text").value = "";
      if (text) setKey(text);
      resolve(Boolean(text));
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}

// --- the page ----------------------------------------------------------------------------------------------------

const again = (target) => choose(target).catch((error) => refused(error, false));

function listen() {
  $("target").addEventListener("change", () => again($("target").value));
  $("back").addEventListener("click", () => again($("target").value));
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  $("cancel").addEventListener("click", run.cancel);
  $("key-open").addEventListener("click", async () => (await askForKey(false)) && start());
  $("open-file").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    openFile($("file").files[0]);
    $("file").value = "";
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
    if (event.key === "Escape") $("downloads").open = false;
  });
  const views = { in: () => graph.zoom(1.25), out: () => graph.zoom(0.8), fit: graph.fit };
  for (const button of document.querySelectorAll("button")) {
    const { view, copy: copied, download: saved } = button.dataset;
    if (view) button.addEventListener("click", views[view]);
    if (copied) button.addEventListener("click", () => chosen && copy(copied, button));
    if (saved) button.addEventListener("click", () => save(saved));
  }
  listenForDrops();
}

function listenForDrops() {
  let depth = 0;
  const files = (event) => event.dataTransfer?.types.includes("Files");
  const over = (by) => {
    depth = Math.max(0, depth + by);
    $("drop").hidden = depth === 0;
  };
  document.addEventListener("dragenter", (event) => files(event) && over(1));
  document.addEventListener("dragleave", (event) => files(event) && over(-1));
  document.addEventListener("dragover", (event) => files(event) && event.preventDefault());
  document.addEventListener("studio:dropped", () => over(-depth));
  document.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    over(-depth);
    openFile(event.dataTransfer.files[0]);
  });
}

async function start() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  const known = [...$("target").options].some((option) => option.value === wanted);
  try {
    await choose(known ? wanted : $("target").value);
    jobs.refresh();
  } catch (error) {
    refused(error, false);
    graph.empty("Nothing to show yet.");
  }
}

whenKeyIsMissing(askForKey);
result.idle();
graph.empty("Loading…");
listen();
start();
