"use strict";
for (const section of document.querySelectorAll(".why")) {
  const form = section.querySelector("form");
  const status = section.querySelector(".layer-status");
  const reasons = [...section.querySelectorAll(".why-reason")];

  const show = () => {
    const { label, method, strength, shown } = form.elements;
    for (const reason of reasons) {
      const chosen = reason.dataset.label === label.value && reason.dataset.method === method.value;
      reason.hidden = !chosen;
      reason.open = chosen;
      if (!chosen) continue;
      const heat = reason.querySelector(".heat");
      heat.style.opacity = strength.value / 100;
      heat.style.visibility = shown.checked ? "visible" : "hidden";
      status.textContent = `${label.value}, ${method.value}${shown.checked ? "" : `, ${status.dataset.hidden}`}`;
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
