"use strict";
/* Redraws or removes stretches of traces on the picture of a reading, draws boxes of leads, and takes a line of a length
   that is known as the picture's scale. */
const SPACE = "http://www.w3.org/2000/svg";

for (const form of document.querySelectorAll("form.editor")) {
  const drawing = form.querySelector(".drawing");
  if (!drawing) continue;
  const stage = drawing.querySelector("svg");
  const frame = drawing.querySelector(".drawing-frame");
  const row = drawing.querySelector("[data-row]");
  const said = drawing.querySelector("[data-said]");
  const tools = [...drawing.querySelectorAll("[data-tool]")];
  const { width, height } = stage.viewBox.baseVal;
  const strokes = [];
  let tool = "move";
  let size = 1;
  let now = null;
  let ruler = null;

  drawing.disabled = false;
  const add = (name, kind) => {
    const shape = document.createElementNS(SPACE, name);
    shape.setAttribute("class", kind);
    stage.append(shape);
    return shape;
  };
  const place = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(stage.getScreenCTM().inverse());
    return [Math.min(width, Math.max(0, at.x)), Math.min(height, Math.max(0, at.y))].map((value) => Math.round(10 * value) / 10);
  };
  const box = ({ start, end }) => {
    const [left, right] = [start[0], end[0]].sort((one, two) => one - two);
    const [top, bottom] = [start[1], end[1]].sort((one, two) => one - two);
    return { top, left, bottom, right };
  };
  const kinds = {
    draw: ({ lead, points }) => ({ lead, points }),
    remove: (stroke) => {
      const { left, right, top } = box(stroke);
      return { lead: stroke.lead, points: [[left, top], [right, top]], removed: true };
    },
  };
  const tell = () => {
    const length = ruler ? Math.hypot(ruler.end[0] - ruler.start[0], ruler.end[1] - ruler.start[1]) : 0;
    const traces = strokes.filter(({ kind }) => kind in kinds).map((stroke) => kinds[stroke.kind](stroke));
    const boxes = strokes.filter(({ kind }) => kind === "box").map((stroke) => [stroke.lead, box(stroke)]);
    form.elements.traces.value = traces.length ? JSON.stringify(traces) : "";
    form.elements.boxes.value = boxes.length ? JSON.stringify(Object.fromEntries(boxes)) : "";
    form.elements.ruler_px.value = length >= 10 ? length.toFixed(1) : "";
    const parts = [];
    if (strokes.length) parts.push(`${said.dataset.strokes} ${strokes.length}`);
    if (length >= 10) parts.push(`${said.dataset.ruler} ${Math.round(length)}`);
    said.textContent = parts.join(", ");
  };
  const show = () => {
    if (now?.kind === "draw") now.shape.setAttribute("points", now.points.map((point) => point.join(",")).join(" "));
    else if (now) {
      const { top, left, bottom, right } = box(now);
      for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) now.shape.setAttribute(name, value);
    }
    if (ruler) {
      const { shape, start, end } = ruler;
      for (const [name, value] of Object.entries({ x1: start[0], y1: start[1], x2: end[0], y2: end[1] })) shape.setAttribute(name, value);
    }
  };

  for (const button of tools) {
    button.addEventListener("click", () => {
      tool = button.dataset.tool;
      for (const each of tools) each.setAttribute("aria-pressed", each === button);
      stage.classList.toggle("busy", tool !== "move");
    });
  }
  for (const button of drawing.querySelectorAll("[data-size]")) {
    button.addEventListener("click", () => {
      size = Math.min(6, Math.max(1, size * Number(button.dataset.size)));
      stage.style.width = `${100 * size}%`;
    });
  }
  drawing.querySelector("[data-drop]").addEventListener("click", () => {
    strokes.pop()?.shape.remove();
    tell();
  });
  stage.addEventListener("pointerdown", (event) => {
    if (tool === "move" || event.button !== 0) return;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    const at = place(event);
    if (tool === "draw") now = { kind: tool, lead: row.value, points: [at], shape: add("polyline", "stroke") };
    else if (tool !== "ruler") now = { kind: tool, lead: row.value, start: at, end: at, shape: add("rect", tool) };
    else {
      ruler?.shape.remove();
      ruler = { start: at, end: at, shape: add("line", "ruler") };
    }
    show();
  });
  stage.addEventListener("pointermove", (event) => {
    if (now && now.kind !== "draw") now.end = place(event);
    else if (now) {
      const at = place(event);
      if (at[0] > now.points[now.points.length - 1][0]) now.points.push(at);
    } else if (ruler && stage.hasPointerCapture(event.pointerId)) ruler.end = place(event);
    else return;
    show();
  });
  const release = () => {
    if (now && (now.kind === "draw" ? now.points.length > 1 : Math.abs(now.end[0] - now.start[0]) >= 1)) strokes.push(now);
    else now?.shape.remove();
    now = null;
    tell();
  };
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, release);
  window.addEventListener("pageshow", tell);
  frame.scrollLeft = 0;
}
