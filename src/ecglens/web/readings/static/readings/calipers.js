"use strict";
for (const tool of document.querySelectorAll(".calipers")) {
  const stage = tool.parentElement.querySelector(".caliper-stage");
  const layer = stage.querySelector(".caliper-layer");
  const [box, across, down] = [".caliper-box", ".caliper-across", ".caliper-down"].map((name) => layer.querySelector(name));
  const ends = [...layer.querySelectorAll(".caliper-end")];
  const output = tool.querySelector("output");
  const number = (name) => Number(tool.dataset[name]);
  const [width, height] = [number("width"), number("height")];
  const msPerPx = 1000 / (number("across") * number("speed"));
  const mvPerPx = 1 / (number("down") * number("gain"));
  let points = [[width * 0.3, height * 0.45], [width * 0.45, height * 0.35]];
  let held = null;

  const put = (shape, values) => { for (const [name, value] of Object.entries(values)) shape.setAttribute(name, value); };
  const draw = () => {
    const [[x1, y1], [x2, y2]] = points;
    put(box, { x: Math.min(x1, x2), y: Math.min(y1, y2), width: Math.abs(x2 - x1), height: Math.abs(y2 - y1) });
    put(across, { x1, y1: y2, x2, y2 });
    put(down, { x1, y1, x2: x1, y2 });
    const size = (7 * width) / (stage.clientWidth || width);
    for (const [place, end] of ends.entries()) put(end, { cx: points[place][0], cy: points[place][1], r: size });
    const ms = Math.abs(x2 - x1) * msPerPx;
    const mv = (y1 - y2) * mvPerPx;
    output.querySelector("[data-ms]").textContent = Math.round(ms);
    output.querySelector("[data-mv]").textContent = mv.toFixed(2).replace("-", "\u2212").replace(".", document.documentElement.lang === "de" ? "," : ".");
    output.querySelector("[data-rate]").textContent = ms >= 150 ? Math.round(60000 / ms) : "\u2013";
  };
  const place = (event) => {
    const frame = stage.getBoundingClientRect();
    const part = (value, size) => Math.min(1, Math.max(0, value / size));
    return [part(event.clientX - frame.left, frame.width) * width, part(event.clientY - frame.top, frame.height) * height];
  };
  const button = tool.querySelector("button");
  const clear = (hide) => {
    layer.toggleAttribute("hidden", hide);
    button.textContent = hide ? button.dataset.show : button.dataset.clear;
    if (hide) for (const name of ["ms", "mv", "rate"]) output.querySelector(`[data-${name}]`).textContent = "\u2013";
    else draw();
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch" && !event.isPrimary) return;
    event.preventDefault();
    const at = place(event);
    held = ends.indexOf(event.target);
    if (held < 0) {
      points = [at, [...at]];
      held = 1;
    }
    clear(false);
    stage.setPointerCapture(event.pointerId);
    draw();
  });
  stage.addEventListener("pointermove", (event) => {
    if (held === null) return;
    points[held] = place(event);
    draw();
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, () => { held = null; });
  for (const [which, end] of ends.entries()) {
    end.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 10 : 1;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      points[which] = [
        Math.min(width, Math.max(0, points[which][0] + move[0])),
        Math.min(height, Math.max(0, points[which][1] + move[1])),
      ];
      draw();
    });
  }
  button.addEventListener("click", () => clear(!layer.hasAttribute("hidden")));
  window.addEventListener("resize", () => { if (!layer.hasAttribute("hidden")) draw(); });
  tool.hidden = false;
  clear(true);
}
