/** What a form needs to know of a kind's params, read from its JSON Schema: the only source of defaults. */

/** The alternatives of a property, `anyOf` within `anyOf` laid flat. */
function branches(property) {
  return property.anyOf ? property.anyOf.flatMap(branches) : [property];
}

function findWidget(property) {
  return property.widget ?? property.anyOf?.map(findWidget).find(Boolean) ?? null;
}

/** Names that kinds share, and what they are asked for with where the schema does not say. */
const SHARED = { network: "network", layer: "layer", target: "class" };

function controlOf(name, property, main) {
  const widget = findWidget(property);
  if (widget) return widget;
  if (main.enum) return "choice";
  if (main.type === "array") return main.items?.type === "string" ? "names" : "numbers";
  return (main.type === "string" && SHARED[name]) || main.type;
}

/**
 * The params of a kind, in the order of its schema. `control` is picture, pictures, clip, network, layer,
 * layers, channels, class, classes, extents, choice, names, numbers, integer, number, boolean or string;
 * `nullable` means that it may be left empty.
 */
export function paramsOf(kind) {
  const required = new Set(kind.schema.required ?? []);
  return Object.entries(kind.schema.properties).map(([name, property]) => {
    const all = branches(property);
    const main = all.find((branch) => branch.type !== "null");
    return {
      name,
      title: property.title,
      description: property.description ?? "",
      default: property.default ?? null,
      required: required.has(name),
      nullable: all.some((branch) => branch.type === "null"),
      control: controlOf(name, property, main),
      choices: main.enum ?? [],
      minimum: main.minimum ?? null,
      maximum: main.maximum ?? null,
      maxItems: property.maxItems ?? main.maxItems ?? null,
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

/** The reverse of formatLayers; throws a RangeError that says what cannot be read. */
export function parseLayers(text) {
  return Object.fromEntries(
    text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => {
      const [name, weight = "1"] = part.split("=").map((piece) => piece.trim());
      return [name, parseNumber(weight)];
    }),
  );
}

/** Names from "eye, sun". */
export const parseNames = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);

/** Numbers from "1, 2 0.5"; throws a RangeError that says what cannot be read. */
export function parseNumbers(text) {
  return text.split(/[\s,]+/).filter(Boolean).map(parseNumber);
}

/** A number from a text; throws a RangeError that says what cannot be read. */
export function parseNumber(text) {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new RangeError(`“${text}” is not a number.`);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new RangeError(`${text} has more digits than a browser keeps; the REST interface takes it.`);
  }
  return value;
}
