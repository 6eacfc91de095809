(() => {
  const groups = [...document.querySelectorAll(".group")];
  const objects = [...document.querySelectorAll(".object")];
  const calm = new Set(["changed", "restarts", "scales", "later", "nothing"]);
  const facts = new Map(objects.map((object) => [object, {
    words: JSON.parse(object.dataset.words),
    text: `${object.parentElement.dataset.apps} ${object.textContent}`.toLowerCase(),
  }]));

  const matches = (object) => {
    const { words, text } = facts.get(object);
    const wanted = show.value;
    const serious = words.some((word) => !calm.has(word));
    const shown = wanted === "" || (wanted === "serious" ? serious : words.includes(wanted));
    return shown && text.includes(search.value.trim().toLowerCase());
  };
  const filter = () => {
    let count = 0;
    for (const object of objects) {
      object.hidden = !matches(object);
      count += object.hidden ? 0 : 1;
    }
    for (const group of groups) {
      const own = [...group.querySelectorAll(".object")];
      group.hidden = own.length > 0 && own.every((object) => object.hidden);
    }
    found.textContent = `${count} of ${objects.length} objects`;
  };
  const toggle = (open) => {
    for (const details of [...groups, ...objects]) details.open = open;
  };

  document.getElementById("open").addEventListener("click", () => toggle(true));
  document.getElementById("close").addEventListener("click", () => toggle(false));
  begin(objects, filter);
})();
