// Following one job: its nodes on the drawing, its progress, its pictures, its end.

import { follow, get } from "./api.js";
import { $, duration, say } from "./dom.js";

const ACTIVE = ["queued", "running"];
const WORDS = { queued: "Waiting for an engine", succeeded: "Done", failed: "Failed", cancelled: "Cancelled" };

/** `drawnKey()` tells which request is drawn: nodes are coloured only on the drawing of the job's own. */
export function runner({ graph, result, jobs, problem, drawnKey }) {
  let current = null; // { id, key, stop, nodes, status }

  async function watch(id, key) {
    leave();
    const mine = (current = { id, key, stop: new AbortController(), nodes: new Map(), status: "queued" });
    graph.clear();
    jobs.choose(id);
    meter({ status: "queued", percentage: 0 });
    try {
      for await (const [kind, data] of follow(id, mine.stop.signal)) {
        if (mine !== current) return;
        if (kind === "job") await told(mine, data);
        else if (kind === "node") nodeChanged(mine, data);
        else if (kind === "preview") result.picture(data);
        else if (kind === "restarted") {
          mine.nodes.clear();
          graph.clear();
        }
      }
    } catch (error) {
      if (mine === current) problem(error.message);
    }
  }

  function nodeChanged(mine, data) {
    mine.nodes.set(data.node, data);
    if (drawnKey() === mine.key) graph.set(data.node, data);
    if (data.state === "running" && data.max > 1) doing(`${data.node} ${data.value}/${data.max} · ${Math.floor($("progress").value)} %`);
  }

  async function told(mine, job) {
    mine.status = job.status;
    const over = !ACTIVE.includes(job.status);
    jobs.told(job);
    meter(job);
    result.job(over ? await get(`/v1/jobs/${job.id}`) : job);
    if (!over) return;
    for (const [node, { state }] of mine.nodes) if (state === "running") mine.nodes.delete(node);
    graph.stop();
    jobs.refresh();
    const ends = { succeeded: "Done. The result is shown.", failed: `Failed: ${job.error?.message || ""}`, cancelled: "Cancelled." };
    say(ends[job.status]);
  }

  function meter(job) {
    const active = ACTIVE.includes(job.status);
    graph.live(active);
    $("meter").dataset.status = job.status;
    $("progress").value = job.percentage;
    if (!active && document.activeElement === $("cancel")) $("run").focus();
    $("cancel").hidden = !active;
    $("cancel").disabled = Boolean(job.cancel_requested);
    const eta = job.eta_seconds >= 1 ? ` · about ${duration(job.eta_seconds)} left` : "";
    const running = `${job.node || "Starting"} · ${Math.floor(job.percentage)} %${eta}`;
    doing(job.cancel_requested && active ? "Cancelling…" : WORDS[job.status] || running);
    if (active) say($("doing").textContent, true);
  }

  const doing = (text) => void ($("doing").textContent = text);

  /** The colours again, after the drawing was made anew. */
  function paint() {
    if (current && drawnKey() === current.key) for (const [node, state] of current.nodes) graph.set(node, state);
    graph.live(Boolean(current) && drawnKey() === current.key && ACTIVE.includes(current.status));
  }

  /** Looks away; the job goes on. */
  function leave() {
    current?.stop.abort();
    current = null;
    graph.live(false);
    $("cancel").hidden = true;
  }

  async function cancel() {
    $("cancel").disabled = true;
    doing("Cancelling…");
    if (!current || (await jobs.cancel(current.id))) return;
    $("cancel").disabled = false;
    doing("Still running");
  }

  /** Another form comes: what is over has nothing to do with it. */
  function rest() {
    if (!current || ACTIVE.includes(current.status)) return;
    leave();
    delete $("meter").dataset.status;
    $("progress").value = 0;
    doing("Not run yet");
  }

  return { watch, paint, leave, rest, cancel };
}
