// A picture, video or sound: chosen, dropped, or named by id or URL. Files are uploaded at once; the value is their id.

import { upload } from "./api.js";
import { el, say } from "./dom.js";

const ACCEPT = { image: "image/*", mask: "image/*", video: "video/*", audio: "audio/*" };
const NAMES = { image: "picture", mask: "mask", video: "video", audio: "sound" };

export function mediaControl(schema, value, { id, required, changed }) {
  const name = NAMES[schema.media];
  const input = el("input", { id, type: "text", value: value ?? "", placeholder: "File id or URL", autocomplete: "off" });
  input.spellcheck = false;
  const file = el("input", { type: "file", class: "unseen", accept: ACCEPT[schema.media], tabIndex: -1 });
  file.setAttribute("aria-hidden", "true");
  const choose = el("button", { type: "button", class: "button small" }, `Choose a ${name}`);
  const thumb = el("img", { class: "thumb", alt: "", hidden: true });
  const state = el("p", { class: "hint" }, "or drop it here");
  const shell = el("div", { class: "media" }, thumb, el("div", { class: "media-body" }, input, el("div", { class: "row" }, choose, state)), file);
  let sent = "";

  const show = (chosen) => {
    thumb.hidden = !(chosen && chosen.type.startsWith("image/"));
    if (thumb.src) URL.revokeObjectURL(thumb.src);
    thumb.removeAttribute("src");
    if (!thumb.hidden) thumb.src = URL.createObjectURL(chosen);
  };
  const take = async (chosen) => {
    if (!chosen) return;
    state.textContent = `Uploading ${chosen.name}…`;
    state.classList.remove("fault");
    try {
      const { id: given } = await upload("/v1/files", chosen);
      sent = input.value = given;
      show(chosen);
      state.textContent = chosen.name;
      say(`${chosen.name} uploaded`);
      changed();
    } catch (error) {
      state.textContent = error.message;
      state.classList.add("fault");
    }
  };
  choose.addEventListener("click", () => file.click());
  file.addEventListener("change", () => take(file.files[0]));
  input.addEventListener("input", (event) => {
    if (input.value !== sent) show(null);
    event.stopPropagation(); // half an address leads nowhere: the change event tells that it is whole
  });
  shell.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    shell.classList.add("over");
  });
  shell.addEventListener("dragleave", () => shell.classList.remove("over"));
  shell.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    shell.classList.remove("over");
    document.dispatchEvent(new CustomEvent("studio:dropped"));
    take(event.dataTransfer.files[0]);
  });

  return {
    el: shell,
    input,
    media: schema.media,
    read: (how) => {
      const text = input.value.trim();
      if (text) return text;
      return how.standIns && (required || how.standInFor?.(how.path)) ? `studio:${schema.media}` : undefined;
    },
    at: () => undefined,
  };
}
