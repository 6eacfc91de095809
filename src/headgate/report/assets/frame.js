"use strict";
const search = document.getElementById("search");
const show = document.getElementById("show");
const found = document.getElementById("found");
const begin = (items, filter) => {
  const form = document.getElementById("filter");
  form.hidden = items.length === 0;
  form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", filter);
  show.addEventListener("change", filter);
  filter();
};
