/* The theme a reader chose before, set before anything is drawn; without a choice the system's holds. */
(function () {
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    /* no storage: the system's theme */
  }
})();
