// What a page can do better with JavaScript: copy a command, and say that the log is live. All else works without.
"use strict";

document.documentElement.classList.add("script"); // the style sheet hides what would not work without one

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) {
    return;
  }
  const text = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(text); // no clipboard without TLS: one key is left to press
    button.textContent = "Selected";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 2000);
});
