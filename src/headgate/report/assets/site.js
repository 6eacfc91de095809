(() => {
  const rows = [...document.querySelectorAll("tr[data-find]")];
  const facts = new Map(rows.map((row) => [row, {
    text: `${row.dataset.find} ${row.textContent}`.toLowerCase(),
    labels: row.dataset.labels.split(","),
  }]));

  const filter = () => {
    const words = search.value.toLowerCase().split(/[\s@]+/).filter((word) => word !== "");
    let count = 0;
    for (const [row, { text, labels }] of facts) {
      const shown = show.value === "" || labels.includes(show.value);
      row.hidden = !(shown && words.every((word) => text.includes(word)));
      count += row.hidden ? 0 : 1;
    }
    found.textContent = `${count} of ${rows.length} apps`;
  };

  begin(rows, filter);
})();
