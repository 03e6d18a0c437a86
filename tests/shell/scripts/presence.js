// Whether somebody is at the page, as ui/js/presence.js asks: told now and whenever the document says that it changed.
(() => {
  let told = null;
  const tell = () => {
    const here = document.visibilityState === "visible" && document.hasFocus();
    if (here === told) return;
    told = here;
    window.test.call("test.report", { value: { here } });
  };
  for (const name of ["focus", "blur"]) window.addEventListener(name, tell);
  document.addEventListener("visibilitychange", tell);
  tell();
})();
