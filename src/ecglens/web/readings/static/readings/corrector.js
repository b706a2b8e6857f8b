"use strict";
/* Lets the sender of a page that could not be read drag the corners of the paper, turn the page, and try again. */
const fileOf = (form) => {
  const bytes = Uint8Array.from(atob(form.dataset.file), (letter) => letter.charCodeAt(0));
  return new File([bytes], form.dataset.name.replace(/\.\w+$/, "") + ".jpg", { type: "image/jpeg" });
};

const startCorrector = (form, { picture, width, height, corners, paper, rotation = 0, reason = "" }) => {
  const stage = form.querySelector(".corrector-stage");
  const layer = stage.querySelector("g");
  const image = layer.querySelector("image");
  const outline = layer.querySelector("polygon");
  const ends = [...layer.querySelectorAll("circle")];
  const seen = form.querySelector("[data-seen]");
  const whole = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]];
  let points = corners.split(" ").map((point) => point.split(",").map(Number));
  let turn = (Math.round(rotation / 90) * 90 + 360) % 360;
  let held = -1;

  const places = { 0: "", 90: `translate(${height} 0) rotate(90)`, 180: `translate(${width} ${height}) rotate(180)`, 270: `translate(0 ${width}) rotate(270)` };

  const draw = () => {
    const rim = 0.04 * Math.max(width, height);
    const sides = turn % 180 ? [height, width] : [width, height];
    stage.setAttribute("viewBox", [-rim, -rim, ...sides.map((side) => side + 2 * rim)].join(" "));
    layer.setAttribute("transform", places[turn]);
    outline.setAttribute("points", points.map((point) => point.join(",")).join(" "));
    const { a, b } = layer.getScreenCTM();
    const size = 11 / (Math.hypot(a, b) || 1);
    for (const [place, end] of ends.entries()) {
      end.setAttribute("cx", points[place][0]);
      end.setAttribute("cy", points[place][1]);
      end.setAttribute("r", size);
    }
    const isWhole = points.every(([x, y], place) => x === whole[place][0] && y === whole[place][1]);
    form.elements.corners.value = isWhole ? "" : points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
    form.elements.rotation.value = turn;
  };
  const limit = ([x, y]) => [Math.min(width - 1, Math.max(0, x)), Math.min(height - 1, Math.max(0, y))];
  const place = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(layer.getScreenCTM().inverse());
    return limit([at.x, at.y]);
  };

  image.setAttribute("href", picture);
  image.setAttribute("width", width);
  image.setAttribute("height", height);
  if (reason) form.querySelector("[data-reason]").textContent = reason;
  if (seen) seen.textContent = paper ? seen.dataset.paper : seen.dataset.picture;
  stage.addEventListener("pointerdown", (event) => {
    const at = place(event);
    const distances = points.map(([x, y]) => Math.hypot(x - at[0], y - at[1]));
    held = distances.indexOf(Math.min(...distances));
    ends[held].focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    event.preventDefault();
    points[held] = at;
    draw();
  });
  stage.addEventListener("pointermove", (event) => {
    if (held < 0) return;
    points[held] = place(event);
    draw();
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, () => { held = -1; });
  for (const [which, end] of ends.entries()) {
    end.addEventListener("keydown", (event) => {
      const step = (event.shiftKey ? 0.05 : 0.005) * Math.max(width, height);
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      if (!(event.key in moves)) return;
      event.preventDefault();
      const [across, down] = moves[event.key];
      points[which] = limit([points[which][0] + across, points[which][1] + down]);
      draw();
    });
  }
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.turn) turn = (turn + Number(button.dataset.turn) + 360) % 360;
    else if (button && "whole" in button.dataset) points = whole.map((point) => [...point]);
    else return;
    draw();
  });
  new ResizeObserver(draw).observe(stage);
  draw();
};

for (const form of document.querySelectorAll("form.corrector")) {
  const { picture, width, height, corners, rotation = 0 } = form.dataset;
  startCorrector(form, { picture, width: Number(width), height: Number(height), corners, paper: "paper" in form.dataset, rotation });
  form.addEventListener("submit", () => {
    form.querySelector("[type=submit]").disabled = true;
    if (!form.dataset.file) return;
    const files = new DataTransfer();
    files.items.add(fileOf(form));
    form.elements.file.files = files.files;
  });
  window.addEventListener("pageshow", () => { form.querySelector("[type=submit]").disabled = false; });
}
