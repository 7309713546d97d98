// The recent jobs, of every API, kept fresh while somebody looks.

import { get, request } from "./api.js";
import { duration, el } from "./dom.js";

const MANY = 12;
const ACTIVE = ["queued", "running"];
const WORDS = { queued: "waiting", running: "running", succeeded: "done", failed: "failed", cancelled: "cancelled" };

/** `opened` is called with the job that somebody wants to see, `problem` with what went wrong. */
export function jobList(root, opened, problem) {
  let timer = 0;
  let look = 0;
  let chosen = "";
  const rows = new Map(); // job id → its row

  async function refresh() {
    clearTimeout(timer);
    const mine = ++look;
    let wait = 8000;
    if (!document.hidden) {
      // Nobody asked for this: what is wrong with the key is told by the next call that somebody asks for.
      const found = await get(`/v1/jobs?limit=${MANY}`, { ask: false }).catch(() => null);
      if (mine !== look) return; // a later look is on its way
      if (found) draw(found.jobs);
      if (found?.jobs.some((job) => ACTIVE.includes(job.status))) wait = 1500;
    }
    timer = setTimeout(refresh, wait);
  }

  /** Rows stay the elements that they are, so that one under a finger or in focus is not taken away. */
  function draw(jobs) {
    for (const job of jobs) {
      if (!rows.has(job.id)) rows.set(job.id, row(job));
      rows.get(job.id).tell(job);
    }
    for (const id of rows.keys()) if (!jobs.some((job) => job.id === id)) rows.delete(id);
    const items = jobs.length ? jobs.map((job) => rows.get(job.id).item) : [el("li", { class: "quiet" }, "None yet.")];
    if (items.length === root.children.length && items.every((item, index) => item === root.children[index])) return;
    const focused = root.contains(document.activeElement) ? document.activeElement : null;
    root.replaceChildren(...items);
    focused?.focus();
  }

  function row({ id, number, provider }) {
    let job = null;
    const picture = el("img", { alt: "", loading: "lazy", hidden: true });
    const blank = el("span", { class: "blank" });
    const when = el("span", { class: "quiet" });
    const state = el("span", { class: "state" });
    const what = el("span", { class: "what" }, el("strong", { title: provider }, provider), when);
    const open = el("button", { type: "button", class: "open", onclick: () => opened(job) }, picture, blank, what, state);
    const stop = el("button", { type: "button", class: "button small stop", onclick: () => cancel(id) }, "Cancel");
    stop.setAttribute("aria-label", `Cancel job ${number}`);
    const item = el("li", { dataset: { job: id } }, open, stop);

    const tell = (now) => {
      job = now;
      const active = ACTIVE.includes(now.status);
      when.textContent = `#${number} · ${duration((Date.now() - new Date(now.created_at)) / 1000)} ago`;
      state.textContent = now.status === "running" ? `${Math.floor(now.percentage)} %` : WORDS[now.status];
      state.className = `state ${now.status}`;
      if (!active && document.activeElement === stop) open.focus();
      stop.hidden = !active;
      stop.disabled = Boolean(now.cancel_requested);
      const source = now.outputs.map((one) => (one.kind === "image" ? one.url : one.poster_url)).find(Boolean);
      if (source && picture.hidden) picture.src = source; // signed anew at every look, but always the same picture
      picture.hidden = !source;
      blank.hidden = Boolean(source);
      mark(item, id === chosen);
    };
    return { item, tell };
  }

  const mark = (item, on) => {
    item.classList.toggle("chosen", on);
    item.querySelector(".open")?.setAttribute("aria-current", String(on));
  };

  /** Whether it was asked to stop. */
  async function cancel(id) {
    try {
      await request(`/v1/jobs/${id}`, { method: "DELETE" });
      return true;
    } catch (error) {
      problem(`Not cancelled: ${error.message}`);
      return false;
    } finally {
      refresh();
    }
  }

  /** What is known of one of them before the next look at all. */
  const told = (job) => rows.get(job.id)?.tell(job);

  function choose(id) {
    chosen = id;
    for (const [key, { item }] of rows) mark(item, key === id);
  }

  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  return { refresh, cancel, choose, told };
}
