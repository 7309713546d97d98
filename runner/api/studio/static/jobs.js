// The recent jobs, of every API, kept fresh while somebody looks.

import { get, request } from "./api.js";
import { duration, el } from "./dom.js";

const MANY = 12;
const ACTIVE = ["queued", "running"];
const WORDS = { queued: "waiting", running: "running", succeeded: "done", failed: "failed", cancelled: "cancelled" };

/** `opened` is called with the job that somebody wants to see. */
export function jobList(root, opened) {
  let timer = 0;
  let chosen = "";
  let known = [];

  async function refresh() {
    clearTimeout(timer);
    let wait = 8000;
    if (!document.hidden) {
      try {
        const { jobs } = await get(`/v1/jobs?limit=${MANY}`);
        draw((known = jobs));
        if (jobs.some((job) => ACTIVE.includes(job.status))) wait = 1500;
      } catch {
        wait = 8000; // the next call that somebody asks for tells what is wrong
      }
    }
    timer = setTimeout(refresh, wait);
  }

  function draw(jobs) {
    const focused = document.activeElement?.closest?.("[data-job]")?.dataset.job;
    const cancels = document.activeElement?.classList.contains("stop");
    root.replaceChildren(...jobs.map(row));
    if (!jobs.length) root.append(el("li", { class: "quiet" }, "None yet."));
    if (focused) root.querySelector(`[data-job="${CSS.escape(focused)}"] ${cancels ? ".stop" : ".open"}`)?.focus();
  }

  function row(job) {
    const active = ACTIVE.includes(job.status);
    const ago = duration((Date.now() - new Date(job.created_at)) / 1000);
    const picture = job.outputs.map((one) => (one.kind === "image" ? one.url : one.poster_url)).find(Boolean);
    const open = el(
      "button",
      { type: "button", class: "open", onclick: () => opened(job) },
      picture ? el("img", { src: picture, alt: "", loading: "lazy" }) : el("span", { class: "blank" }),
      el("span", { class: "what" }, el("strong", {}, job.provider), el("span", { class: "quiet" }, `#${job.number} · ${ago} ago`)),
      stateOf(job),
    );
    const stop = el("button", { type: "button", class: "button small stop", onclick: () => cancel(job.id) }, "Cancel");
    stop.setAttribute("aria-label", `Cancel job ${job.number}`);
    const item = el("li", { dataset: { job: job.id } }, open, active ? stop : null);
    if (job.id === chosen) item.classList.add("chosen");
    return item;
  }

  async function cancel(id) {
    await request(`/v1/jobs/${id}`, { method: "DELETE" }).catch(() => {});
    refresh();
  }

  /** What is known of one of them before the next look at all. */
  function told(job) {
    const place = known.findIndex((one) => one.id === job.id);
    if (place < 0) return;
    known[place] = job;
    const state = root.querySelector(`[data-job="${CSS.escape(job.id)}"] .state`);
    if (state) state.replaceWith(stateOf(job));
  }

  function choose(id) {
    chosen = id;
    for (const item of root.children) item.classList.toggle("chosen", item.dataset.job === id);
  }

  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  return { refresh, cancel, choose, told };
}

function stateOf(job) {
  const text = job.status === "running" ? `${Math.floor(job.percentage)} %` : WORDS[job.status];
  return el("span", { class: `state ${job.status}` }, text);
}
