/** The offer to use the settings that a picture was made with: whoever adds it to the form may want the same again. */

import { getRecipe, Problem, Unreachable, uploadImage } from "./api.js";
import { el } from "./dom.js";
import { detailsOf } from "./jobs.js";
import { kindOf, namesPicture } from "./kinds.js";
import { joined } from "./text.js";
import { reasonOf, removeUpload } from "./uploads.js";

/** Settings that are named of those that are left out. */
const NAMED = 8;

/** Controls of params that name what a service has, beside pictures. */
const STORED = new Set(["network", "dataset"]);

const place = document.getElementById("recipe-offer");
const form = document.getElementById("job-form");

/** What is said of a picture that was made by a kind of job that is not here. */
const unknownText = (kind) => `This picture was made with Impasto, by “${kind}”, which is not here: its settings cannot be used.`;

/** How a recipe is described: "Style transfer, impasto, 200 steps, 512 px". */
function describe(recipe) {
  const { title } = kindOf(recipe.kind);
  return [title, detailsOf(recipe)].filter(Boolean).join(", ");
}

/** What is left out, as sentences: what is not here, and what this service does not understand. */
function leftOutItems({ kind, left_out: leftOut }) {
  const names = { missing: [], wrong: [] };
  for (const { param: name } of leftOut) {
    const param = kindOf(kind).params.find((each) => each.name === name);
    const isMissing = param && (namesPicture(param) || STORED.has(param.control));
    names[isMissing ? "missing" : "wrong"].push(param?.title.toLowerCase() ?? `“${name}”`);
  }
  return [sentence("Not here", names.missing), sentence("Not understood", names.wrong)].filter(Boolean);
}

function sentence(what, names) {
  const more = names.length - NAMED;
  const shown = more > 1 ? [...names.slice(0, NAMED), `${more} more`] : names;
  return names.length ? `${what}: ${joined(shown)}.` : null;
}

/** The recipe in a file, or null; the file is not kept. Throws as upload(). */
async function recipeOf(file) {
  const image = await uploadImage(file, () => {}, new AbortController().signal);
  try {
    return await getRecipe(image.id);
  } finally {
    // Without an answer it stays among the unused uploads.
    await removeUpload(image.id).catch(reasonOf);
  }
}

/**
 * Open the offer. `onuse(recipe)` fills in the form. Returns {askFile(file), close()}. The form tells of its pictures by
 * events "pictureadded", whose detail is {reference, isHere(), takeOut()}.
 */
export function openRecipeOffer({ onuse }) {
  /** The picture that the offer is about; null if it is closed. */
  let about = null;
  /** Raised when what was asked for before is not wanted any more. */
  let run = 0;

  function show(text, items, ...buttons) {
    const list = items.length ? el("ul", {}, ...items.map((item) => el("li", {}, item))) : null;
    place.replaceChildren(el("p", {}, text), ...(list ? [list] : []), el("div", { class: "recipe-buttons" }, ...buttons));
    place.hidden = false;
  }

  function close() {
    run += 1;
    hide();
  }

  function hide() {
    about = null;
    place.hidden = true;
    place.replaceChildren();
  }

  const closeButton = (label) => el("button", { type: "button", class: "link", onclick: close }, label);

  function use(recipe, added) {
    // It was added for its settings: it is not what is to be painted.
    added?.takeOut();
    onuse(recipe);
    close();
    show("The settings are in the form.", leftOutItems(recipe), closeButton("Close"));
  }

  function offer(recipe, added) {
    about = added;
    if (!kindOf(recipe.kind)?.listed) {
      show(unknownText(recipe.kind), [], closeButton("Close"));
      return;
    }
    const accept = el("button", { type: "button", class: "button", onclick: () => use(recipe, added) }, "Use its settings");
    show(`This picture was made with Impasto: ${describe(recipe)}.`, [], accept, closeButton("No, thanks"));
  }

  /** Offer the settings of a picture of the form, if it says how it was made. */
  async function ask(added) {
    const own = run;
    try {
      const recipe = await getRecipe(added.reference);
      if (recipe && own === run && added.isHere()) offer(recipe, added);
    } catch (error) {
      // Without it the picture can be used as any other.
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    }
  }

  form.addEventListener("pictureadded", ({ detail }) => ask(detail));
  // The picture was removed, or another was put in its place.
  form.addEventListener("input", () => about?.isHere() === false && hide());
  form.addEventListener("submit", close);
  return {
    close,
    /** The same for a file that the form has no place for; where there is nothing to offer, it is said why. */
    async askFile(file) {
      close();
      const own = run;
      const say = (text) => own === run && show(text, [], closeButton("Close"));
      say(`Looking for settings in ${file.name}…`);
      try {
        const recipe = await recipeOf(file);
        if (recipe && own === run) offer(recipe, null);
        else say(`${file.name} does not say how it was made, and this form takes no pictures.`);
      } catch (error) {
        say(`${file.name}: ${reasonOf(error)}`);
      }
    },
  };
}
