// A form from a JSON schema: reading it, and putting faults where they belong.

import { fields } from "./controls.js";

/** Fills `root`. Gives { read, faults, clear }. `changed` is called at every change. */
export function buildForm(root, schema, values, changed) {
  const made = fields(schema, values, { top: true, changed });
  root.replaceChildren(...made.elements);
  root.classList.add("grid");
  root.oninput = changed;
  root.onchange = changed;
  let told = [];

  /** The values. `standIns`: media that are missing are stood in for; `wanted` holds paths that need one too. */
  const read = ({ standIns = false, wanted = new Set() } = {}) => {
    const bad = [];
    const how = (path) => ({
      path,
      standIns,
      complaints: () => bad.length,
      standInFor: standIns ? (place) => wanted.has(place) : undefined,
      bad: (text) => void bad.push({ field: path, fault: text, cure: "" }),
      inside: (part) => how(part.startsWith("[") ? `${path}${part}` : path ? `${path}.${part}` : part),
    });
    return { values: made.read(how("")), bad };
  };

  const find = (path) => {
    const tokens = path.match(/[^.[\]]+/g) || [];
    let found = null;
    let here = made;
    for (const token of tokens) {
      here = here?.at(token);
      if (!here) break;
      if (here.fault) found = here;
    }
    return found;
  };

  const clear = () => {
    for (const one of told) one.fault("");
    told = [];
  };

  /** Shows each fault at its field; gives those that no field is for. */
  const faults = (rows, focus = false) => {
    clear();
    const others = [];
    for (const row of rows) {
      const place = find(row.field);
      const text = [row.fault, row.cure].filter(Boolean).join(". ");
      if (!place) {
        others.push(`${row.field}: ${text}`);
        continue;
      }
      place.fault(text[0].toUpperCase() + text.slice(1));
      told.push(place);
      unfold(place.el);
    }
    if (focus) told[0]?.input?.focus();
    return others;
  };

  /** Where a medium is to stand in, going by the faults: their fields, if they are for media and empty, or else, where
   * something is missing, the first list of media. */
  const mediaFor = (rows) => {
    const fields = rows.map((row) => row.field);
    const own = fields.filter((path) => find(path)?.media && !find(path).input.value);
    const list = Object.keys(schema.properties).find((name) => schema.properties[name].items?.media);
    return own.length || !list || !rows.some((row) => row.code === "required") ? own : [list];
  };

  return { read, faults, clear, mediaFor };
}

function unfold(element) {
  const folded = element.closest("details");
  if (folded) folded.open = true;
}
