// The page: what is asked on the left, what becomes of it on the right.

import { get, post, Problem, upload, whenKeyIsMissing } from "./api.js";
import { $, debounced, el, say, withCode } from "./dom.js";
import { listenForDrops } from "./drops.js";
import { buildForm } from "./form.js";
import { listenForTaking } from "./give.js";
import { graphView } from "./graph.js";
import { jobList } from "./jobs.js";
import { askForKey, listenForKeys } from "./key.js";
import { hideOpened, showOpened } from "./opened.js";
import { resultView } from "./result.js";
import { runner } from "./run.js";

const REDRAW_MS = 300;
const RETRY_MS = 3000; // while the server cannot be reached
const graph = graphView($("canvas"));
const result = resultView($("result"));
const jobs = jobList($("jobs"), openJob, problem);
const run = runner({ graph, result, jobs, problem, drawnKey: () => drawnKey });
let chosen = null; // the form's description: target, schema, call
let form = null;
let drawn = null; // the last answer that is shown
let drawnKey = ""; // the request that it is of
let compiling = null;
let file = null; // an opened workflow
let turn = 0; // grows with all that is asked to be shown: an answer that comes after the next question is not

// --- asking ------------------------------------------------------------------------------------------------------

const keyOf = (target, values) => JSON.stringify([target, values]);
const redraw = debounced(() => {
  remember({ values: form.read().values });
  compile();
}, REDRAW_MS);

/** Shows a target's form and graph. False if something else was asked for before they were there. */
async function choose(target, values) {
  const mine = ++turn;
  const found = await get(`/studio/form?target=${encodeURIComponent(target)}`);
  if (mine !== turn) return false;
  file = drawn = null;
  drawnKey = "";
  hideOpened();
  run.rest();
  chosen = found;
  $("target").value = target;
  $("about").replaceChildren(el("code", {}, chosen.id), ...withCode(chosen.description ? ` · ${chosen.description}` : ""));
  form = buildForm($("form"), chosen.schema, values || chosen.values, redraw);
  problem("");
  remember({ values }, target);
  await compile();
  return mine === turn;
}

/** Keeps in the tab's history what a reload, or a way back, is to show: { values, job }. */
function remember(known, target) {
  try {
    history.replaceState(target ? known : { ...history.state, ...known }, "", target ? `#${encodeURIComponent(target)}` : undefined);
  } catch {
    // browsers refuse what is large or too often; the page works without
  }
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
    const named = form.mediaFor(error.faults || []);
    const more = (named.length ? named : chosen.stand_ins || []).filter((field) => !wanted.has(field));
    if (more.length) return compile(new Set([...wanted, ...more]));
    refused(error, false);
    if (error.status === 0) setTimeout(() => mine === compiling && compile(), RETRY_MS);
    if (drawn) return undefined;
    graph.empty("The graph appears once the fields fit.");
    $("facts").replaceChildren();
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
  const isSandbox = await engines;
  if (drawn !== answer || file) return;
  $("engine").textContent = isSandbox ? `sandbox, like ${answer.target}: placeholders, no models` : answer.target;
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
    problem(String(error.message || error));
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
  if (!form || file || $("run").disabled || $("key").open) return;
  const { values, bad } = form.read();
  problem("");
  form.clear();
  $("run").disabled = true;
  try {
    if (bad.length) throw new Problem(400, { message: "", faults: bad });
    const { id } = await post("/studio/jobs", { target: chosen.target, values });
    remember({ values, job: id });
    run.watch(id, keyOf(chosen.target, values));
    jobs.refresh();
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    if (matchMedia("(max-width: 760px)").matches) $("canvas").scrollIntoView({ block: "center", behavior });
  } catch (error) {
    refused(error, true);
  } finally {
    $("run").disabled = false;
  }
}

/** Shows a job of the list: its form, its graph, its result. */
async function openJob({ id }) {
  const mine = ++turn;
  jobs.choose(id);
  try {
    const [{ target }, whole] = await Promise.all([get(`/studio/jobs/${id}`), get(`/v1/jobs/${id}`)]);
    if (mine !== turn) return;
    if (target && target !== $("target").value) history.pushState(null, "");
    if (target && !(await choose(target, whole.request))) return;
    remember({ values: whole.request, job: id });
    run.watch(id, target ? keyOf(target, form.read().values) : "");
  } catch (error) {
    refused(error, false);
  }
}

// --- files --------------------------------------------------------------------------------------------

async function openFile(given) {
  if (!given) return;
  const mine = ++turn;
  problem("");
  try {
    const answer = await upload("/studio/open", given);
    if (mine !== turn) return;
    compiling?.abort();
    run.leave();
    file = { ...answer, name: given.name };
    drawnKey = "";
    showOpened(file, graph);
    say(`${file.name} opened: ${file.valid ? "valid" : "not valid"}`);
  } catch (error) {
    if (mine === turn) problem(`${given.name}: ${error.message}`);
  }
}

// --- the page ----------------------------------------------------------------------------------------------------

const known = (target) => [...$("target").options].some((option) => option.value === target);
const addressed = () => decodeURIComponent(location.hash.slice(1));

async function again(target, values) {
  try {
    return await choose(target, values);
  } catch (error) {
    if (chosen) $("target").value = chosen.target; // what the form is still of
    refused(error, false);
    return false;
  }
}

function listen() {
  $("target").addEventListener("change", () => {
    history.pushState(null, "");
    again($("target").value);
  });
  $("back").addEventListener("click", async () => {
    await again(chosen?.target || $("target").value, form?.read().values);
    $("target").focus(); // the button is gone
  });
  addEventListener("popstate", ({ state }) => known(addressed()) && again(addressed(), state?.values));
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
  });
  const views = { in: () => graph.zoom(1.25), out: () => graph.zoom(0.8), fit: graph.fit };
  for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", views[button.dataset.view]);
  listenForTaking({
    request: () => chosen && { call: chosen.call, values: form.read().values },
    shown: () => file || drawn,
    name: () => (file ? file.name.replace(/\.\w+$/, "") : chosen.id.replaceAll("/", "-")),
    svg: graph.text,
    problem,
  });
  listenForDrops(openFile);
  listenForKeys();
}

/** What the address tells, or this tab showed before a reload: a form with its values, and the job that it watched. */
async function start() {
  const { values, job } = history.state || {};
  const there = await again(known(addressed()) ? addressed() : $("target").value, values);
  jobs.refresh();
  if (!chosen) graph.empty("Nothing to show yet.");
  if (there && job) await resume(job);
}

async function resume(id) {
  const mine = turn;
  const job = await get(`/v1/jobs/${id}`).catch(() => null); // the server may have forgotten it
  if (!job || mine !== turn) return;
  remember({ job: id });
  run.watch(id, drawnKey);
}

whenKeyIsMissing(askForKey);
result.idle();
graph.empty("Loading…");
listen();
start();
