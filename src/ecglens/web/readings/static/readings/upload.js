"use strict";
for (const form of document.querySelectorAll("form.upload")) {
  const drop = form.querySelector(".drop");
  const input = form.querySelector("input[type=file]");
  const problem = form.querySelector(".problem");
  const list = form.querySelector(".sent");
  const button = form.querySelector("button[type=submit]");
  const label = button.textContent;
  const limit = Number(form.dataset.limitMb);
  const many = "many" in form.dataset;

  const tooLarge = () => {
    const large = [...input.files].some((file) => file.size > limit * 1024 ** 2);
    problem.hidden = !large;
    problem.textContent = large ? form.dataset.large : "";
    return large;
  };
  const busy = (on) => {
    button.disabled = on;
    button.textContent = on ? form.dataset.reading : label;
  };

  input.addEventListener("change", tooLarge);
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      tooLarge();
    }
  });

  const fill = (item, file) => {
    const name = document.createElement("span");
    name.textContent = file.name;
    const bar = document.createElement("progress");
    bar.max = 100;
    bar.value = 0;
    bar.setAttribute("aria-label", `${form.dataset.sending} ${file.name}`);
    const status = document.createElement("span");
    item.append(name, bar, status);
    return { item, bar, status };
  };
  const line = (file) => {
    const item = document.createElement("li");
    list.append(item);
    return fill(item, file);
  };

  const link = (result) => {
    const anchor = document.createElement("a");
    anchor.href = result.url;
    anchor.textContent = result.heading;
    return anchor;
  };

  const correct = (item, file, result) => {
    const copy = document.querySelector("#corrector").content.cloneNode(true);
    const corrector = copy.querySelector("form");
    item.append(copy);
    startCorrector(corrector, { ...result.refused, paper: result.refused.has_paper });
    corrector.addEventListener("submit", async (event) => {
      event.preventDefault();
      const { corners, rotation, layout } = corrector.elements;
      const fields = { corners: corners.value, rotation: rotation.value, layout: layout.value, replaces: result.pk };
      corrector.remove();
      item.replaceChildren();
      const results = await send(file, fill(item, file), fields);
      if (results.length === 1 && !results[0].refused) window.location.assign(results[0].url);
    });
  };

  const send = (file, { item, bar, status }, fields = {}) => new Promise((done) => {
    const body = new FormData(form);
    body.delete("file");
    body.append("file", file);
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      bar.value = event.lengthComputable ? (100 * event.loaded) / event.total : 0;
      if (bar.value === 100) {
        bar.removeAttribute("value");
        status.textContent = form.dataset.reading;
      }
    });
    const finish = (content, bad, lang = "") => {
      bar.remove();
      status.lang = lang || document.documentElement.lang;
      status.replaceChildren(content);
      item.classList.toggle("bad", bad);
    };
    request.addEventListener("load", () => {
      const results = request.response?.results ?? [];
      if (request.status < 300 && results.length) {
        finish(link(results[0]), false);
        if (results[0].refused) correct(item, file, results[0]);
      }
      else finish(request.response?.message ?? form.dataset.failed, true, request.response?.lang);
      done(request.status < 300 ? results : []);
    });
    request.addEventListener("error", () => { finish(form.dataset.offline, true); done([]); });
    request.send(body);
  });

  form.addEventListener("submit", async (event) => {
    if (tooLarge()) {
      event.preventDefault();
      return;
    }
    busy(true);
    if (!many) return;
    event.preventDefault();
    list.replaceChildren();
    list.hidden = false;
    const files = [...input.files];
    const lines = files.map(line);
    const results = [];
    for (const [place, file] of files.entries()) results.push(...await send(file, lines[place]));
    busy(false);
    if (files.length === 1 && results.length === 1 && !results[0].refused) window.location.assign(results[0].url);
  });
  window.addEventListener("pageshow", () => busy(false));
}
