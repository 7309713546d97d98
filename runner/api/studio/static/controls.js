// One control for each kind of value. A control is { el, input, read(options), at(token), fault(text) }:
// `read` gives undefined for what was left open; `at` finds the control of a part, for faults like loras[0].id.

import { el, withCode } from "./dom.js";
import { mediaControl } from "./media.js";

const LONG = /prompt|text|instruction|description|caption|lyrics/i;
let count = 0;
export const newId = () => `field-${++count}`;

/** The control for a schema. `name` decides how much room a text gets. */
export function control(schema, value, name, options) {
  if (schema.media) return mediaControl(schema, value, options);
  if (schema.enum || schema.const !== undefined) return choiceControl(schema, value, options);
  switch (schema.type) {
    case "string":
      return textControl(schema, value, name, options);
    case "integer":
    case "number":
      return numberControl(schema, value, name, options);
    case "boolean":
      // A box has two states: where leaving it open means something of its own, there are three to choose from.
      if (schema.default === undefined && !options.required) return choiceControl({ enum: [true, false] }, value, options);
      return switchControl(schema, value, options);
    case "array":
      return schema.items ? listControl(schema, value, name, options) : jsonControl(value, options);
    case "object":
      return schema.properties ? objectControl(schema, value, options) : jsonControl(value, options);
    default:
      return jsonControl(value, options);
  }
}

function textControl(schema, value, name, { id, required }) {
  const long = LONG.test(name) || schema.maxLength >= 400;
  const placeholder = schema.default ? String(schema.default) : "";
  const input = long
    ? el("textarea", { id, rows: required ? 3 : 1, required, placeholder, value: value ?? "", spellcheck: false })
    : el("input", { id, type: "text", placeholder, value: value ?? "", autocomplete: "off", spellcheck: false });
  return leaf(input, () => input.value || undefined);
}

function numberControl(schema, value, name, { id }) {
  const input = el("input", { id, type: "number", value: value ?? "", autocomplete: "off" });
  for (const [attribute, word] of [["min", "minimum"], ["max", "maximum"]]) {
    if (schema[word] !== undefined) input.setAttribute(attribute, schema[word]);
  }
  input.step = schema.type === "number" ? "any" : schema.multipleOf || 1;
  const seed = /seed/i.test(name);
  input.placeholder = seed ? "random" : (schema.default ?? "");
  return leaf(input, (options) => {
    if (input.validity.badInput) return options.bad("must be a number");
    if (input.value === "") return undefined;
    const number = Number(input.value);
    const exact = schema.type !== "integer" || Number.isSafeInteger(number) || !Number.isInteger(number);
    return exact ? number : options.bad("is larger than a page can send exactly");
  });
}

function switchControl(schema, value, { id, required }) {
  const input = el("input", { id, type: "checkbox", checked: value ?? schema.default ?? false });
  let touched = required || value !== undefined;
  input.addEventListener("change", () => (touched = true));
  return { ...leaf(input, () => (touched ? input.checked : undefined)), inline: true };
}

function choiceControl(schema, value, { id, required }) {
  const values = schema.enum || [schema.const];
  const open = schema.default !== undefined ? `default: ${schema.default}` : "not set";
  const input = el(
    "select",
    { id },
    required && schema.default === undefined ? null : el("option", { value: "" }, open),
    ...values.map((one, index) => el("option", { value: String(index + 1), selected: one === value }, String(one))),
  );
  return leaf(input, () => (input.value ? values[Number(input.value) - 1] : undefined));
}

function jsonControl(value, { id }) {
  const input = el("textarea", { id, rows: 2, class: "code", spellcheck: false, placeholder: "JSON" });
  input.value = value === undefined ? "" : JSON.stringify(value, null, 1);
  return leaf(input, (options) => {
    if (!input.value.trim()) return undefined;
    try {
      return JSON.parse(input.value);
    } catch (error) {
      return options.bad(`is not JSON: ${error.message}`);
    }
  });
}

function leaf(input, read) {
  return { el: input, input, read, at: () => undefined };
}

// --- lists and objects -------------------------------------------------------------------------------------------

function listControl(schema, value, name, options) {
  const rows = [];
  let sent = []; // rows that hold something, in the order of the last reading: faults count only those
  const list = el("div", { class: "list" });
  const add = el("button", { type: "button", class: "button small", id: options.id }, "Add");
  const shell = el("div", { class: "list-shell" }, list, add);

  const renumber = () =>
    rows.forEach(({ remove }, index) => remove.setAttribute("aria-label", `Remove number ${index + 1} of ${name}`));
  const append = (item, focus) => {
    const id = newId();
    const row = { control: control(schema.items, item, name, { ...options, id, required: true }) };
    const remove = (row.remove = el("button", { type: "button", class: "button small icon", title: "Remove" }, "×"));
    row.fault = el("p", { class: "fault", hidden: true });
    row.el = el("div", { class: "list-row" }, row.control.el, remove, row.fault);
    if (row.control.input && !row.control.input.labels?.length) row.control.input.setAttribute("aria-label", name);
    remove.addEventListener("click", () => {
      rows.splice(rows.indexOf(row), 1);
      row.el.remove();
      renumber();
      options.changed();
      add.focus();
    });
    rows.push(row);
    list.append(row.el);
    renumber();
    if (focus) row.el.querySelector("input, textarea, select")?.focus();
  };
  for (const item of Array.isArray(value) ? value : []) append(item, false);
  add.addEventListener("click", () => {
    append(undefined, true);
    options.changed();
  });

  return {
    el: shell,
    input: add,
    media: schema.items.media,
    read: (how) => {
      const given = [];
      sent = [];
      for (const row of rows) {
        const before = how.complaints();
        const item = row.control.read(how.inside(`[${sent.length}]`));
        if (item !== undefined || how.complaints() > before) sent.push(row);
        if (item !== undefined) given.push(item);
      }
      if (!given.length && schema.items.media && how.standInFor?.(how.path)) return [`studio:${schema.items.media}`];
      return given.length ? given : undefined;
    },
    at: (token) => {
      const row = sent[Number(token)];
      return row && { ...row.control, fault: (text) => tell(row.fault, text, row.control.input) };
    },
  };
}

function objectControl(schema, value, options) {
  const made = fields(schema, value || {}, options);
  return {
    el: el("div", { class: "object grid" }, ...made.elements),
    input: made.first,
    read: (how) => {
      const found = made.read(how);
      return Object.keys(found).length ? found : undefined;
    },
    at: made.at,
  };
}

/** The fields of an object: { elements, read, at, first }. At the top, what few people need is folded away. */
export function fields(schema, values, options) {
  const required = new Set(schema.required || []);
  const rows = new Map();
  for (const [name, row] of Object.entries(schema.properties)) {
    rows.set(name, field(name, row, values[name], required.has(name), options));
  }
  const shown = [...rows].filter(([name, row]) => !options.top || row.required || isCommon(name, values[name], schema.properties[name]));
  if (options.top) shown.sort(([, a], [, b]) => Number(b.required) - Number(a.required));
  const folded = options.top ? [...rows].filter((pair) => !shown.includes(pair)) : [];
  const elements = shown.map(([, row]) => row.el);
  if (folded.length) {
    const summary = el("summary", {}, `${folded.length} more field${folded.length > 1 ? "s" : ""}`);
    elements.push(el("details", { class: "more" }, summary, el("div", { class: "grid" }, ...folded.map(([, row]) => row.el))));
  }
  return {
    elements,
    first: [...rows.values()][0]?.control.input,
    read: (how) => {
      const found = {};
      for (const [name, row] of rows) {
        const value = row.control.read(how.inside(name));
        if (value !== undefined) found[name] = value;
      }
      return found;
    },
    at: (token) => {
      const row = rows.get(token);
      return row && { ...row.control, fault: row.fault };
    },
  };
}

const COMMON = /prompt|image|video|audio|width|height|seed|steps|duration|length|size|ratio|file_?id|url|instruction|lora/i;
const isCommon = (name, value, { unused, media, items }) =>
  value !== undefined || (!unused && (media || items?.media || (COMMON.test(name) && !/encoder/i.test(name))));

function field(name, schema, value, required, options) {
  const id = newId();
  const made = control(schema, value, name, { ...options, top: false, id, required });
  const fault = el("p", { class: "fault", id: `${id}-fault`, hidden: true });
  const hint = schema.description ? el("p", { class: "hint", id: `${id}-hint` }, ...withCode(schema.description)) : null;
  const marks = [el("span", {}, name), required ? el("span", { class: "mark" }, "required") : null];
  const grouped = schema.type === "array" || (schema.type === "object" && schema.properties);
  const label = grouped ? el("span", { class: "label", id: `${id}-label` }, ...marks) : el("label", { for: id }, ...marks);
  made.input?.setAttribute("aria-describedby", `${id}-fault${hint ? ` ${id}-hint` : ""}`);
  const { inline = false } = made;
  const half = ["boolean", "integer", "number"].includes(schema.type) || (schema.enum && schema.enum.every((one) => String(one).length < 16));
  const shell = el(
    "div",
    { class: `field${inline ? " inline" : half ? " half" : ""}`, dataset: { field: name } },
    ...(inline ? [made.el, label] : [label, made.el]),
    fault,
    hint,
  );
  if (grouped) {
    shell.setAttribute("role", "group");
    shell.setAttribute("aria-labelledby", `${id}-label`);
  }
  return { el: shell, control: made, required, fault: (text) => tell(fault, text, made.input) };
}

function tell(place, text, input) {
  place.textContent = text;
  place.hidden = !text;
  if (!input) return;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}
