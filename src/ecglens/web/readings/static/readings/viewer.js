"use strict";
/* Draws the signals of a reading on paper of 1 mm: arrangements of the leads, zoom, pan, cursor, calipers and waves. */

const MISSING = -32768;
const MIN_PX_PER_MM = 2.4;
const MAX_PX_PER_MM = 5.5;
const MARGIN_MM = 3;
const REACH_MM = 22;
const SNAP_PX = 14;
const HOLD_PX = 16;
const DASH = "\u2013";

const unpack = (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, place) => {
    const value = view.getInt16(2 * place, true);
    return value === MISSING ? NaN : value / 1000;
  });
};
const COMMA = document.documentElement.lang === "de" ? "," : ".";
const format = (value, digits) => value.toFixed(digits).replace("-", "\u2212").replace(".", COMMA);

class Viewer {
  constructor(section) {
    this.section = section;
    this.canvas = section.querySelector("canvas");
    this.pen = this.canvas.getContext("2d");
    this.tip = section.querySelector(".viewer-tip");
    this.readout = section.querySelector(".viewer-readout");
    const plain = JSON.parse(section.querySelector(".pane.signals").dataset.signals);
    this.rate = plain.fs_hz;
    this.peaks = plain.r_peaks_s;
    this.edges = plain.edges_s;
    this.leads = plain.leads.map((lead) => this.load(lead));
    this.settings = { arrangement: "page", speed: 25, gain: 10, zoom: 1, calipers: false, march: false, waves: false };
    this.left = 0;
    this.cursor = null;
    this.ends = null;
    this.held = null;
    this.pointers = new Map();
    this.listen();
    new ResizeObserver(() => this.arrange()).observe(this.canvas.parentElement);
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  }

  load({ name, lead, start_s: start, quality, samples }) {
    const signal = unpack(samples);
    let first = 0;
    let last = signal.length - 1;
    while (first < last && Number.isNaN(signal[first])) first += 1;
    while (last > first && Number.isNaN(signal[last])) last -= 1;
    const sorted = signal.filter((value) => !Number.isNaN(value)).sort();
    const at = (part) => sorted[Math.min(sorted.length - 1, Math.round(part * (sorted.length - 1)))] ?? 0;
    return { name, lead, start, quality, signal, first, last, low: Math.min(at(0.001), -0.3), high: Math.max(at(0.999), 0.3) };
  }

  /* Rows of strips: each strip is a lead, the time of the row at which it begins, and its own first second. */
  rows() {
    const { arrangement } = this.settings;
    const strip = (lead, at) => ({ lead, at, from: lead.first / this.rate, to: (lead.last + 1) / this.rate });
    const single = this.leads.filter((lead) => !lead.name.includes("rhythm"));
    const one = this.leads.find((lead) => lead.name === arrangement);
    if (one) return [[strip(one, 0)]];
    if (arrangement === "rows") return this.leads.map((lead) => [strip(lead, 0)]);
    if (arrangement === "columns") {
      const half = Math.ceil(single.length / 2);
      const order = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
      const sorted = [...single].sort((a, b) => (order.indexOf(a.lead) + 99) % 99 - (order.indexOf(b.lead) + 99) % 99);
      const longest = Math.max(...sorted.map((lead) => (lead.last + 1 - lead.first) / this.rate));
      const width = Math.min(longest, 5);
      const part = (lead, at) => {
        const whole = strip(lead, at);
        return { ...whole, to: Math.min(whole.to, whole.from + width) };
      };
      return sorted.slice(0, half).map((lead, row) => [part(lead, 0), ...(sorted[row + half] ? [part(sorted[row + half], width)] : [])]);
    }
    const rows = [];
    for (const lead of this.leads) {
      const begin = lead.start + lead.first / this.rate;
      const end = lead.start + lead.last / this.rate;
      const row = rows.find((each) => each.end <= begin + 0.02);
      const piece = strip(lead, begin);
      if (row) { row.strips.push(piece); row.end = end; } else rows.push({ strips: [piece], end });
    }
    return rows.map((row) => row.strips);
  }

  arrange() {
    const { speed, gain, zoom } = this.settings;
    const rows = this.rows();
    const begin = Math.min(...rows.flat().map((strip) => strip.at));
    for (const strip of rows.flat()) strip.at -= begin;
    this.begin = begin;
    this.seconds = Math.max(...rows.flat().map((strip) => strip.at + strip.to - strip.from));
    const width = this.canvas.parentElement.clientWidth;
    if (!width) return;
    const fit = width / (this.seconds * 25 + 2 * MARGIN_MM);
    this.mm = Math.min(Math.max(fit, MIN_PX_PER_MM), MAX_PX_PER_MM) * zoom;
    let y = MARGIN_MM;
    let below = 0;
    this.lines = rows.map((strips) => {
      const up = Math.min(REACH_MM, gain * Math.max(...strips.map((strip) => strip.lead.high)));
      const down = Math.min(REACH_MM, gain * Math.max(...strips.map((strip) => -strip.lead.low)));
      y += Math.max(below + up, below ? 14 : up) + (below ? 1 : 2);
      below = down;
      return { zero: y, strips };
    });
    this.height = (y + below + MARGIN_MM) * this.mm;
    this.width = width;
    this.pxPerS = speed * this.mm;
    this.pxPerMv = gain * this.mm;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = `${this.height}px`;
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.scroll(this.left);
  }

  scroll(left) {
    const whole = this.seconds * this.pxPerS + 2 * MARGIN_MM * this.mm;
    this.left = Math.min(Math.max(0, left), Math.max(0, whole - this.width));
    this.draw();
  }

  x(second) { return MARGIN_MM * this.mm + second * this.pxPerS - this.left; }
  second(x) { return (x + this.left - MARGIN_MM * this.mm) / this.pxPerS; }

  draw() {
    if (!this.lines) return;
    const style = getComputedStyle(this.section);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    const { pen } = this;
    pen.fillStyle = color("paper");
    pen.fillRect(0, 0, this.width, this.height);
    this.drawPaper(color);
    if (this.settings.waves) this.drawWaves(color);
    pen.lineJoin = "round";
    for (const line of this.lines) for (const strip of line.strips) this.drawStrip(line, strip, color);
    if (this.cursor) this.drawCursor(color);
    if (this.settings.calipers && this.ends) this.drawCalipers(color);
  }

  drawPaper(color) {
    const { pen } = this;
    for (const [step, name, width] of [[1, "grid", 0.6], [5, "grid-bold", 1]]) {
      if (step * this.mm < 3) continue;
      pen.strokeStyle = color(name);
      pen.lineWidth = width;
      pen.beginPath();
      const size = step * this.mm;
      const shift = (MARGIN_MM * this.mm - this.left) % size;
      for (let x = shift; x < this.width; x += size) { pen.moveTo(x, 0); pen.lineTo(x, this.height); }
      for (let y = (this.lines[0].zero * this.mm) % size; y < this.height; y += size) { pen.moveTo(0, y); pen.lineTo(this.width, y); }
      pen.stroke();
    }
  }

  drawStrip(line, strip, color) {
    const { pen, rate } = this;
    const { lead } = strip;
    const zero = line.zero * this.mm;
    const first = Math.max(lead.first, Math.floor((this.second(0) - strip.at + strip.from) * rate) - 1);
    const last = Math.min(Math.round(strip.to * rate) - 1, Math.ceil((this.second(this.width) - strip.at + strip.from) * rate) + 1);
    const poor = lead.quality !== null && lead.quality < 0.5;
    pen.strokeStyle = color(poor ? "poor" : "trace");
    pen.lineWidth = Math.min(2, Math.max(1.1, 0.26 * this.mm));
    pen.beginPath();
    let isDown = false;
    for (let place = first; place <= last; place += 1) {
      const value = lead.signal[place];
      if (Number.isNaN(value)) { isDown = false; continue; }
      const x = this.x(strip.at + place / rate - strip.from);
      const y = zero - value * this.pxPerMv;
      if (isDown) pen.lineTo(x, y); else pen.moveTo(x, y);
      isDown = true;
    }
    pen.stroke();
    const x = Math.max(this.x(strip.at), 0) + 4;
    if (x > this.x(strip.at + strip.to - strip.from)) return;
    pen.font = "600 13px system-ui, sans-serif";
    const text = poor ? `${lead.name}, ${this.canvas.dataset.poor}` : lead.name;
    const y = zero - Math.min(1.1 * this.pxPerMv, 9 * this.mm);
    pen.fillStyle = color("paper");
    pen.globalAlpha = 0.75;
    pen.fillRect(x - 2, y - 12, pen.measureText(text).width + 4, 15);
    pen.globalAlpha = 1;
    pen.fillStyle = color(poor ? "poor" : "trace");
    pen.fillText(text, x, y);
  }

  drawWaves(color) {
    const { pen } = this;
    const spans = [["p_on", "p_end", "P"], ["qrs_on", "qrs_end", "QRS"], ["qrs_end", "t_end", "T"]];
    pen.font = "11px system-ui, sans-serif";
    for (const line of this.lines) {
      for (const strip of line.strips) {
        for (const peak of this.peaks) {
          for (const [number, [from, to, name]] of spans.entries()) {
            if (!(from in this.edges) || !(to in this.edges)) continue;
            const [begin, end] = [from, to].map((edge) => peak + this.edges[edge] - strip.lead.start);
            if (begin < strip.from || end > strip.to) continue;
            const [x1, x2] = [begin, end].map((second) => this.x(strip.at + second - strip.from));
            pen.fillStyle = color(`wave-${number}`);
            pen.fillRect(x1, line.zero * this.mm - 7 * this.mm, x2 - x1, 12 * this.mm);
            pen.fillStyle = color("trace");
            if (x2 - x1 > 9) pen.fillText(name, x1 + 2, line.zero * this.mm + 4.6 * this.mm);
          }
        }
      }
    }
  }

  drawCursor(color) {
    const { pen } = this;
    const { x, y } = this.cursor;
    pen.strokeStyle = color("mark");
    pen.fillStyle = color("mark");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, 0);
    pen.lineTo(x, this.height);
    pen.stroke();
    pen.beginPath();
    pen.arc(x, y, 4, 0, 2 * Math.PI);
    pen.fill();
  }

  drawCalipers(color) {
    const { pen } = this;
    const [a, b] = this.ends.map((end) => ({ x: this.x(end.second), y: end.y }));
    pen.strokeStyle = color("mark");
    pen.fillStyle = color("mark");
    pen.lineWidth = 1.5;
    const vertical = (x) => { pen.moveTo(x, 0); pen.lineTo(x, this.height); };
    pen.beginPath();
    vertical(a.x);
    vertical(b.x);
    pen.moveTo(a.x, a.y);
    pen.lineTo(b.x, a.y);
    pen.lineTo(b.x, b.y);
    pen.stroke();
    const step = b.x - a.x;
    if (this.settings.march && Math.abs(step) >= 6) {
      pen.setLineDash([5, 4]);
      pen.beginPath();
      for (const sign of [-1, 1]) for (let x = (sign > 0 ? b.x : a.x) + sign * step; x > 0 && x < this.width; x += sign * step) vertical(x);
      pen.stroke();
      pen.setLineDash([]);
    }
    for (const { x, y } of [a, b]) { pen.beginPath(); pen.arc(x, y, 6, 0, 2 * Math.PI); pen.fill(); }
    const ms = 1000 * Math.abs(this.ends[1].second - this.ends[0].second);
    const mv = (a.y - b.y) / this.pxPerMv;
    const rate = ms >= 150 ? Math.round(60000 / ms) : DASH;
    this.say(`${Math.round(ms)} ms \u00b7 ${format(mv, 2)} mV \u00b7 ${rate}/min`, (a.x + b.x) / 2, Math.min(a.y, b.y));
  }

  say(text, x, y) {
    this.readout.textContent = text;
    this.tip.textContent = text;
    this.tip.hidden = false;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.min(Math.max(x, half + 2), this.width - half - 2)}px`;
    this.tip.style.top = `${Math.max(y - 40, 2)}px`;
  }

  hush() {
    this.tip.hidden = true;
    this.readout.textContent = "";
  }

  /* The sample of the trace nearest to a point, or null. */
  nearest(x, y) {
    let best = null;
    for (const line of this.lines) {
      for (const strip of line.strips) {
        const second = this.second(x) - strip.at;
        if (second < 0 || second > strip.to - strip.from) continue;
        const place = Math.round((second + strip.from) * this.rate);
        const value = strip.lead.signal[place];
        if (value === undefined || Number.isNaN(value)) continue;
        const height = line.zero * this.mm - value * this.pxPerMv;
        const far = Math.abs(height - y);
        if (!best || far < best.far) best = { line, strip, value, far, place, x: this.x(strip.at + place / this.rate - strip.from), y: height };
      }
    }
    return best;
  }

  point(x, y) {
    this.cursor = this.nearest(x, y);
    if (!this.cursor) { this.hush(); this.draw(); return; }
    const { strip, value, place } = this.cursor;
    this.draw();
    this.say(`${strip.lead.name} \u00b7 ${Math.round(1000 * (strip.lead.start + place / this.rate))} ms \u00b7 ${format(value, 2)} mV`, this.cursor.x, this.cursor.y);
  }

  snap(x, y) {
    const near = this.nearest(x, y);
    return { second: this.second(x), y: near && near.far <= SNAP_PX ? near.y : y };
  }

  set(name, value) {
    this.settings[name] = value;
    if (name === "calipers") {
      this.cursor = null;
      this.canvas.classList.toggle("measuring", value);
      if (value) {
        const line = this.lines[this.lines.length - 1];
        const at = this.second(0.35 * this.width);
        const y = line.zero * this.mm;
        this.ends = [{ second: at, y }, { second: at + 0.5 * 25 / this.settings.speed, y }];
        this.held = 1;
      } else this.hush();
    }
    if (["calipers", "march", "waves"].includes(name)) this.draw();
    else { this.hush(); this.cursor = null; this.arrange(); }
  }

  zoom(factor, at = this.width / 2) {
    const second = this.second(at);
    this.settings.zoom = factor ? Math.min(8, Math.max(0.5, this.settings.zoom * factor)) : 1;
    this.cursor = null;
    if (this.ends) for (const end of this.ends) end.y *= factor || 1;
    this.arrange();
    this.scroll(MARGIN_MM * this.mm + second * this.pxPerS - at);
  }

  place(event) {
    const frame = this.canvas.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      const at = this.place(event);
      this.pointers.set(event.pointerId, at);
      if (this.pointers.size === 2) {
        this.pinch = this.spread();
        return;
      }
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.drag = { ...at, left: this.left };
      if (!this.settings.calipers) return;
      event.preventDefault();
      canvas.focus({ preventScroll: true });
      this.held = this.ends ? this.ends.findIndex((end) => Math.hypot(this.x(end.second) - at.x, end.y - at.y) <= HOLD_PX) : -1;
      if (this.held < 0) {
        this.ends = [this.snap(at.x, at.y), this.snap(at.x, at.y)];
        this.held = 1;
      }
      this.draw();
    });
    canvas.addEventListener("pointermove", (event) => {
      const at = this.place(event);
      if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, at);
      if (this.pointers.size === 2) {
        const spread = this.spread();
        this.zoom(spread / this.pinch, at.x);
        this.pinch = spread;
      } else if (this.drag && this.settings.calipers) {
        this.ends[this.held] = this.snap(at.x, at.y);
        this.draw();
      } else if (this.drag && Math.abs(at.x - this.drag.x) > 3) {
        this.hush();
        this.cursor = null;
        this.scroll(this.drag.left - (at.x - this.drag.x));
      } else if (!this.drag && !this.settings.calipers) this.point(at.x, at.y);
    });
    const release = (event) => {
      const moved = this.drag && Math.hypot(this.place(event).x - this.drag.x, this.place(event).y - this.drag.y) > 3;
      if (this.drag && !moved && !this.settings.calipers) this.point(this.drag.x, this.drag.y);
      this.pointers.delete(event.pointerId);
      this.drag = null;
    };
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, release);
    canvas.addEventListener("pointerleave", (event) => {
      if (this.drag || this.settings.calipers || event.pointerType === "touch") return;
      this.cursor = null;
      this.hush();
      this.draw();
    });
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        this.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, this.place(event).x);
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        this.scroll(this.left + (event.deltaX || event.deltaY));
      }
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.press(event));
  }

  spread() {
    const [a, b] = [...this.pointers.values()];
    return Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
  }

  press(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    else if (event.key === "0") this.zoom(0);
    else if (event.key in moves) {
      const [across, down] = moves[event.key];
      const size = event.shiftKey ? 10 : 1;
      if (this.settings.calipers && this.ends) {
        const end = this.ends[this.held > 0 ? 1 : Math.max(0, this.held)];
        end.second += across * size / this.rate;
        end.y += down * size;
        this.draw();
      } else this.moveCursor(across * size * 5, down);
    } else return;
    event.preventDefault();
  }

  moveCursor(samples, rows) {
    if (!this.cursor) { this.point(this.width / 2, this.lines[0].zero * this.mm); return; }
    const { line, x, y } = this.cursor;
    const next = this.lines[this.lines.indexOf(line) + rows];
    const to = x + samples * this.pxPerS / this.rate;
    if (to < 0 || to > this.width) this.scroll(this.left + (to < 0 ? -0.5 : 0.5) * this.width);
    this.point(Math.min(Math.max(to, 0), this.width), rows && next ? next.zero * this.mm : y);
  }
}

for (const section of document.querySelectorAll(".viewer")) {
  const scan = section.querySelector(".pane.scan");
  const traced = section.querySelector("[data-traced]");
  if (traced) {
    const sheet = scan.querySelector(".sheet");
    const plain = sheet.getAttribute("src");
    traced.closest(".trace-switch").hidden = false;
    traced.addEventListener("change", () => { sheet.src = traced.checked ? traced.dataset.traced : plain; });
  }
  const signals = section.querySelector(".pane.signals");
  if (!signals) continue;
  const tools = section.querySelector(".viewer-tools");
  const panes = { signals, page: scan };
  tools.hidden = false;
  signals.hidden = false;
  if (scan) scan.hidden = true;
  const viewer = new Viewer(section);
  viewer.arrange();
  tools.addEventListener("change", ({ target }) => {
    if ("arrangement" in target.dataset) viewer.set("arrangement", target.value);
    if ("speed" in target.dataset) viewer.set("speed", Number(target.value));
    if ("gain" in target.dataset) viewer.set("gain", Number(target.value));
  });
  tools.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { zoom, toggle, pane } = button.dataset;
    if (zoom !== undefined) viewer.zoom(Number(zoom));
    if (toggle) {
      const pressed = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", pressed);
      viewer.set(toggle, pressed);
      if (toggle === "calipers") tools.querySelector("[data-toggle=march]").hidden = !pressed;
    }
    if (pane && panes[pane]) {
      for (const each of tools.querySelectorAll("[data-pane]")) {
        each.setAttribute("aria-pressed", each === button);
        if (panes[each.dataset.pane]) panes[each.dataset.pane].hidden = each !== button;
      }
      if (pane === "signals") viewer.arrange();
    }
  });
}
