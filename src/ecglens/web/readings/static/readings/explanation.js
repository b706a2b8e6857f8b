"use strict";
for (const section of document.querySelectorAll(".why")) {
  const form = section.querySelector("form");
  const reasons = [...section.querySelectorAll(".reason")];
  const layers = [...section.querySelectorAll(".heat")];

  const show = () => {
    const { label, method, strength, shown } = form.elements;
    const chosen = (one) => one.dataset.label === label.value && one.dataset.method === method.value;
    for (const reason of reasons) {
      reason.hidden = !chosen(reason);
      reason.open = chosen(reason);
    }
    for (const layer of layers) {
      layer.hidden = !chosen(layer) || !shown.checked;
      layer.style.opacity = strength.value / 100;
    }
    strength.disabled = !shown.checked;
  };

  section.classList.add("switched");
  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("pageshow", show);
  show();
}
