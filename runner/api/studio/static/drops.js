// Files that fall on the page.

import { $ } from "./dom.js";

/** `take` gets the file; fields for media keep theirs. */
export function listenForDrops(take) {
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
    take(event.dataTransfer.files[0]);
  });
}
