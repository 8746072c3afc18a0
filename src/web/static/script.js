// The pages work without this; it makes them quicker: suggestions, choices without a reload, clocks, progress.
"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// The list of faults gets the focus, so that it is read out.
document.getElementById("faults")?.focus();

// A form is sent once, however often its button is pressed.
for (const form of all("form[method=post]"))
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    else if (!event.defaultPrevented) {
      form.dataset.sent = "yes";
      setTimeout(() => delete form.dataset.sent, 5000);
    }
  });
addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => delete form.dataset.sent));

// Suggestions while a search is typed (ARIA's combobox pattern).
for (const form of all("form[data-suggest]")) {
  const input = form.querySelector("input[type=search]");
  const list = document.createElement("ul");
  Object.assign(list, { className: "found-list", id: "found-list", hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", input.labels[0].textContent);
  form.append(list);
  for (const [name, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-controls", list.id], ["aria-autocomplete", "list"]])
    input.setAttribute(name, value);
  let timer, asked, chosen = -1;
  const show = (open) => {
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    if (!open) choose(-1);
  };
  const choose = (n) => {
    chosen = n;
    all("li", list).forEach((item, at) => item.setAttribute("aria-selected", String(at === n)));
    if (n < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[n].id);
  };
  const ask = async () => {
    const words = input.value.trim();
    asked = words;
    if (words.length < 2) return show(false);
    const answer = await fetch(`${form.dataset.suggest}?q=${encodeURIComponent(words)}`).catch(() => null);
    if (!answer?.ok || asked !== words || document.activeElement !== input) return;
    list.innerHTML = await answer.text();
    show(list.children.length > 0);
  };
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const count = list.children.length;
    if (event.key === "ArrowDown") choose(chosen + 1 >= count ? 0 : chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen <= 0 ? count - 1 : chosen - 1);
    else if (event.key === "Escape") show(false);
    else if (event.key === "Enter" && chosen >= 0) location.assign(list.children[chosen].dataset.to);
    else return;
    event.preventDefault();
  });
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li");
    if (item) location.assign(item.dataset.to);
  });
  form.addEventListener("focusout", (event) => { if (!form.contains(event.relatedTarget)) show(false); });
}

// Another choice of a product's options: its price, stock and picture, without a reload.
let choices = 0;
document.addEventListener("change", async (event) => {
  const form = event.target.closest("form[data-choices]");
  if (!form || !event.target.name.startsWith("option")) return;
  const { name, value, type } = event.target;
  const query = new URLSearchParams();
  for (const [key, chosen] of new FormData(form)) if (key.startsWith("option")) query.set(key, chosen);
  const address = `${form.dataset.choices}?${query}`;
  const quantity = form.querySelector("[name=quantity]")?.value;
  const choice = ++choices;
  const answer = await fetch(address).catch(() => null);
  const text = answer?.ok && (await answer.text());
  // A newer choice is on its way.
  if (choice !== choices) return;
  if (!text) return location.assign(address);
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const part of [".pictures", ".buy"]) document.querySelector(part).replaceWith(page.querySelector(part));
  history.replaceState(null, "", address);
  const again = document.querySelector("form[data-choices] [name=quantity]");
  if (again && quantity) again.value = quantity;
  const chosen = type === "radio" ? `[value="${CSS.escape(value)}"]` : "";
  document.querySelector(`form[data-choices] [name="${name}"]${chosen}`)?.focus();
});

// How long goods are still held; the last minute is announced.
for (const clock of all("[data-until]")) {
  const end = Date.now() + Number(clock.dataset.until) * 1000;
  const warning = document.querySelector("[data-warning]");
  const tick = () => {
    const left = Math.max(0, Math.round((end - Date.now()) / 1000));
    clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    if (left < 60 && warning && !warning.textContent) warning.textContent = " " + warning.dataset.warning;
    if (left === 0) return location.replace(location.pathname);
    setTimeout(tick, 1000);
  };
  tick();
}

// What changes while one looks at it: a job's progress. The page says when there is no more to come.
for (const live of all("[data-live]")) {
  const again = async () => {
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.querySelector("[data-live]");
      if (!next) return location.reload();
      live.innerHTML = next.innerHTML;
    }
    setTimeout(again, 1000);
  };
  setTimeout(again, 1000);
}
