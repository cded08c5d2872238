/** The painting with the content laid over it, up to a divider that mouse, finger and arrow keys move. */

/** Make a canvas comparable. Returns {show(url), hide()}. */
export function comparable(canvas) {
  const original = canvas.querySelector(".original");
  const divider = canvas.querySelector(".divider");
  const line = canvas.querySelector(".divider-line");

  function move() {
    canvas.style.setProperty("--split", `${divider.value}%`);
  }

  function toggle(shown) {
    for (const part of [original, divider, line]) part.hidden = !shown;
  }

  divider.addEventListener("input", move);
  return {
    show(url) {
      original.src = url;
      divider.value = 50;
      move();
      toggle(true);
      divider.focus({ preventScroll: true });
    },
    hide() {
      toggle(false);
      original.removeAttribute("src");
    },
  };
}
