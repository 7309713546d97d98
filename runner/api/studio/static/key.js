// The dialog that asks for a key.

import { setKey } from "./api.js";
import { $ } from "./dom.js";

const SENDABLE = /^[\x21-\x7e]+$/; // what a header can carry

/** Resolves to whether there is a key to try. */
export function askForKey(wasRefused) {
  const dialog = $("key");
  tell(wasRefused);
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => {
      const text = dialog.returnValue === "use" ? $("key-text").value.trim() : "";
      $("key-text").value = "";
      dialog.returnValue = "";
      if (text) setKey(text);
      resolve(Boolean(text));
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}

export function listenForKeys() {
  $("key-form").addEventListener("submit", (event) => {
    const text = $("key-text").value.trim();
    if (!text || SENDABLE.test(text)) return;
    event.preventDefault();
    tell(true);
  });
}

function tell(refused) {
  $("key-fault").hidden = !refused;
  $("key-fault").textContent = refused ? "This key was not accepted." : "";
}
