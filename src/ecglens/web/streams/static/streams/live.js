"use strict";
{
  const monitor = document.getElementById("monitor");
  const canvas = document.getElementById("paper");
  const words = monitor.dataset;
  const fs = Number(words.fs);
  const MISSING = -32768;
  const SECONDS = 20;
  const UV_ABOVE = 1600, UV_BELOW = 1100;
  const beats = [];
  const alarms = new Map();
  let leads = [], rows = [], size = 0, end = 0, begun = false, position = 0, last = 0, heard = 0, over = false;

  const say = (name, text) => { const one = document.getElementById(name); if (one.textContent !== text) one.textContent = text; };

  const open = (info) => {
    leads = info.leads;
    size = Math.ceil(SECONDS * 1.5 * info.fs_hz);
    if (rows.length !== leads.length) rows = leads.map(() => new Int16Array(size).fill(MISSING));
    canvas.style.height = `${Math.max(leads.length * (window.innerWidth < 500 ? 90 : 120), 140)}px`;
  };

  const put = (first, bytes) => {
    const count = bytes.length / 2 / leads.length;
    const view = new DataView(bytes.buffer);
    if (!begun) { begun = true; position = first; end = first; }
    for (let at = end; at < first && at - end < size; at += 1) for (const row of rows) row[at % size] = MISSING;
    for (let sample = 0; sample < count; sample += 1) for (let lead = 0; lead < leads.length; lead += 1)
      rows[lead][(first + sample) % size] = view.getInt16(2 * (sample * leads.length + lead), true);
    end = Math.max(end, first + count);
    heard = performance.now();
    say("status", words.running);
    monitor.dataset.received = String(end);
  };

  const take = (result) => {
    if (result.type === "beat") {
      if (result.replaces_s !== null) { const at = beats.findIndex((one) => Math.abs(one.at_s - result.replaces_s) < 0.001); if (at >= 0) beats.splice(at, 1); }
      beats.push(result);
      while (beats.length > 200) beats.shift();
      monitor.dataset.beats = String(Number(monitor.dataset.beats || 0) + 1);
    } else if (result.type === "figures" && result.window === "rate") {
      say("rate", result.figures.rate_bpm.value.toFixed(0));
    } else if (result.type === "figures" && result.window === "minute" && result.figures.rmssd_ms) {
      say("rmssd", result.figures.rmssd_ms.value.toFixed(0));
    } else if (result.type === "quality") {
      say("quality", Object.entries(result.quality).map(([lead, value]) => `${lead} ${value.toFixed(1)}`).join("  "));
    } else if (result.type === "event") {
      list(result);
      if (result.priority !== "info") {
        if (result.state === "begins") alarms.set(result.kind, result); else alarms.delete(result.kind);
        const place = document.getElementById("alarms");
        place.replaceChildren(...[...alarms.values()].map((one) => { const mark = document.createElement("span"); mark.className = one.priority; mark.lang = "en"; mark.textContent = one.title; return mark; }));
      }
    }
  };

  const list = (event) => {
    const item = document.createElement("li"), time = document.createElement("time"), text = document.createElement("span");
    time.textContent = `${(event.state === "once" ? event.start_s : event.end_s).toFixed(1)} s`;
    const state = event.state === "once" ? "" : ` ${words[event.state]}`;
    const alarm = event.priority === "info" ? "" : `${words.alarm}: `;
    text.textContent = `${alarm}${event.title}${state}${event.detail ? `: ${event.detail}` : ""}`;
    text.lang = "en";
    item.append(time, " ", text);
    const events = document.getElementById("events");
    events.prepend(item);
    while (events.children.length > 200) events.lastChild.remove();
  };

  const draw = (now) => {
    requestAnimationFrame(draw);
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const ink = canvas.getContext("2d");
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    // Packets come in steps; the paper moves evenly, close behind the last sample.
    const passed = Math.min((now - last) / 1000, 0.2);
    last = now;
    const behind = end - position;
    position = behind > fs ? end : Math.min(position + passed * fs * (behind > 0.3 * fs ? 1.2 : behind < 0.05 * fs ? 0.9 : 1), end);
    const mm = height / Math.max(leads.length, 1) / ((UV_ABOVE + UV_BELOW) / 100);
    const shown = width / (25 * mm);
    grid(ink, width, height, mm, -(position / fs * 25 * mm) % (5 * mm));
    leads.forEach((lead, number) => trace(ink, lead, rows[number], number, width, height, mm, shown));
    if (begun && !over && now - heard > 3000) say("status", words.silent);
  };

  const grid = (ink, width, height, mm, shift) => {
    ink.fillStyle = "#fffafa";
    ink.fillRect(0, 0, width, height);
    for (const [step, color] of [[1, "#fbe4e4"], [5, "#f2bcbc"]]) {
      ink.strokeStyle = color;
      ink.lineWidth = step === 1 ? 0.5 : 0.8;
      ink.beginPath();
      for (let x = shift; x <= width; x += step * mm) { ink.moveTo(x, 0); ink.lineTo(x, height); }
      for (let y = 0; y <= height; y += step * mm) { ink.moveTo(0, y); ink.lineTo(width, y); }
      ink.stroke();
    }
  };

  const trace = (ink, lead, row, number, width, height, mm, shown) => {
    const part = height / leads.length, zero = part * number + part * UV_ABOVE / (UV_ABOVE + UV_BELOW);
    const start = Math.max(Math.floor(position - shown * fs), end - size + 1, 0);
    let isDown = false;
    ink.strokeStyle = "#1b1b24";
    ink.lineWidth = 1.3;
    ink.lineJoin = "round";
    ink.beginPath();
    for (let at = start; at < position; at += 1) {
      const value = row[at % size];
      if (value === MISSING) { isDown = false; continue; }
      const x = width - (position - at) / fs * 25 * mm, y = zero - value / 1000 * 10 * mm;
      if (isDown) ink.lineTo(x, y); else ink.moveTo(x, y);
      isDown = true;
    }
    ink.stroke();
    ink.fillStyle = "#1b1b24";
    ink.font = "600 13px system-ui, sans-serif";
    ink.fillText(lead, 6, part * number + 16);
    if (number !== 0) return;
    for (const beat of beats) {
      const x = width - (position - beat.at_s * fs) / fs * 25 * mm;
      if (x < 0 || x > width) continue;
      ink.fillStyle = beat.kind === "V" ? "#97211c" : beat.kind === "S" ? "#7a4b00" : "#0b6b74";
      ink.beginPath();
      ink.arc(x, 6, 3, 0, 2 * Math.PI);
      ink.fill();
      if (beat.kind === "V" || beat.kind === "S") ink.fillText(beat.kind, x + 5, 11);
    }
  };

  const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  if (words.live === "yes") {
    const source = new EventSource(words.events);
    source.addEventListener("info", (message) => open(JSON.parse(message.data)));
    source.addEventListener("samples", (message) => { const one = JSON.parse(message.data); put(one.first, decode(one.uv)); });
    source.addEventListener("result", (message) => take(JSON.parse(message.data)));
    source.addEventListener("end", () => { over = true; source.close(); say("status", words.ended); });
    source.addEventListener("error", () => { if (!over) say("status", words.lost); });
    requestAnimationFrame(draw);
  } else {
    canvas.hidden = true;
  }
}
