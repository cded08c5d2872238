/** Params of a kind, read from their JSON Schema, and how their values are written as text. */

/** The alternatives of a property, nested `anyOf` flattened. */
function branches(property) {
  return property.anyOf ? property.anyOf.flatMap(branches) : [property];
}

/** A keyword of a property or of the first alternative that has it, or null. */
function keywordOf(property, name) {
  return property[name] ?? property.anyOf?.map((branch) => keywordOf(branch, name)).find((value) => value !== null) ?? null;
}

function controlOf(property, main) {
  const widget = keywordOf(property, "widget");
  if (widget) return widget;
  if (main.enum) return "choice";
  if (main.type === "array") return main.items?.type === "string" ? "names" : "numbers";
  return main.type;
}

/**
 * The params of a schema, in its order. `control` is the schema's `widget` (see app/kinds/fields.py), or
 * follows from the type: choice, names, numbers, integer, number, boolean, string. `nullable`: it may be left empty.
 */
export function paramsOf(schema) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties).map(([name, property]) => {
    const all = branches(property);
    const main = all.find((branch) => branch.type !== "null");
    return {
      name,
      title: property.title,
      description: property.description ?? "",
      default: property.default ?? null,
      required: required.has(name),
      nullable: all.some((branch) => branch.type === "null"),
      control: controlOf(property, main),
      type: main.type,
      choices: main.enum ?? [],
      minimum: main.minimum ?? null,
      maximum: main.maximum ?? null,
      maxItems: keywordOf(property, "maxItems"),
      unit: keywordOf(property, "unit"),
      decades: keywordOf(property, "decades"),
      titlePrefix: keywordOf(property, "title_prefix"),
      builtIn: keywordOf(property, "built_in") ?? [],
      leastLabels: keywordOf(property, "least_labels") ?? 0,
      emptyMeans: keywordOf(property, "empty_means"),
    };
  });
}

/** Whether two JSON values are the same. */
export function same(a, b) {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => same(a[name], b[name]));
}

/** `relu1_1, relu2_1=0.5` for {relu1_1: 1, relu2_1: 0.5}, or for a list of names. */
export function formatLayers(weights) {
  if (Array.isArray(weights)) return weights.join(", ");
  return Object.entries(weights)
    .map(([name, weight]) => (weight === 1 ? name : `${name}=${weight}`))
    .join(", ");
}

/** The reverse of formatLayers; throws a RangeError. */
export function parseLayers(text) {
  return Object.fromEntries(
    text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => {
      const [name, weight = "1"] = part.split("=").map((piece) => piece.trim());
      return [name, parseNumber(weight)];
    }),
  );
}

/** Names in "eye, sun". */
export const parseNames = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);

/** Numbers in "1, 2 0.5"; throws a RangeError. */
export function parseNumbers(text) {
  return text.split(/[\s,]+/).filter(Boolean).map(parseNumber);
}

/** The number that a text is; throws a RangeError. */
export function parseNumber(text) {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new RangeError(`“${text}” is not a number.`);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new RangeError(`${text} is too large for a browser to keep exactly; send it over the REST interface.`);
  }
  return value;
}
