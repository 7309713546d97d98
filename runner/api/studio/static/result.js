// What a job gives: pictures while it samples, then its files; and what went wrong.

import { bytes, duration, el } from "./dom.js";

const MOST_TEXT = 20000;
const WORDS = {
  queued: "Waiting for an engine",
  running: "Working",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

export function resultView(root) {
  let shown = "";
  let preview = null;

  function idle() {
    shown = "";
    preview = null;
    root.replaceChildren(el("p", { class: "quiet hollow" }, "Run it, and what comes out appears here."));
  }

  function picture({ content_type: type, data }) {
    if (!preview) {
      preview = el("img", { class: "preview", alt: "Preview of the work so far" });
      const caption = el("figcaption", { class: "quiet" }, "Preview");
      root.replaceChildren(el("figure", {}, preview, caption));
    }
    preview.src = `data:${["image/jpeg", "image/png", "image/webp"].includes(type) ? type : "image/jpeg"};base64,${data}`;
  }

  function job(now) {
    const over = ["succeeded", "failed", "cancelled"].includes(now.status);
    if (!over) {
      const mark = `${now.id}:wait`;
      if (shown !== mark && !(shown.startsWith(now.id) && preview)) {
        preview = null;
        root.replaceChildren(el("p", { class: "quiet hollow busy" }, WORDS[now.status]));
      }
      shown = mark;
      return;
    }
    if (shown === `${now.id}:over`) return;
    shown = `${now.id}:over`;
    preview = null;
    root.replaceChildren(...(now.status === "succeeded" ? now.outputs.map(output) : [ending(now)]), facts(now), notes(now));
  }

  return { idle, picture, job };
}

function output(file) {
  const name = new URL(file.url, location.href).pathname.split("/").pop();
  const media = {
    image: () => el("a", { href: file.url, target: "_blank", rel: "noopener" }, picture(file, `Result ${name}`)),
    video: () => el("video", { src: file.url, poster: file.poster_url || "", controls: true, loop: true, playsInline: true }),
    audio: () => el("audio", { src: file.url, controls: true }),
    text: () => text(file.url),
  }[file.kind];
  const size = file.width ? `${file.width} × ${file.height}, ` : "";
  const link = el("a", { href: file.url, target: "_blank", rel: "noopener" }, name);
  return el("figure", { class: `output-${file.kind}` }, media?.(), el("figcaption", { class: "quiet" }, link, ` ${size}${bytes(file.size)}`));
}

function picture(file, alt) {
  return el("img", { src: file.url, alt, width: file.width || undefined, height: file.height || undefined });
}

function text(url) {
  const shown = el("pre");
  const read = async () => void (shown.textContent = (await (await fetch(url)).text()).slice(0, MOST_TEXT));
  read().catch(() => shown.remove()); // another host's: the link below leads there
  return shown;
}

function ending(now) {
  const text = now.error ? `${now.error.message}${now.error.node ? ` (node ${now.error.node})` : ""}` : WORDS[now.status];
  return el("p", { class: now.status === "failed" ? "fault hollow" : "quiet hollow" }, text);
}

function facts(now) {
  const seed = seedOf(now.request);
  const took = now.started_at && now.finished_at ? (new Date(now.finished_at) - new Date(now.started_at)) / 1000 : null;
  const rows = [["Job", `${now.number}`], ["Seed", seed], ["Took", took === null ? null : duration(Math.max(took, 1))]];
  const given = rows.filter(([, value]) => value !== null && value !== undefined);
  return el("dl", { class: "pairs" }, ...given.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
}

function seedOf(request) {
  const name = Object.keys(request || {}).find((one) => /^seed$/i.test(one));
  return name && request[name];
}

function notes(now) {
  if (!now.warnings.length) return el("span");
  return el("div", {}, el("h3", {}, "Not honoured"), el("ul", { class: "warnings" }, ...now.warnings.map((text) => el("li", {}, text))));
}
