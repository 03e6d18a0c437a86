// Three native dialogs, one after the other; a test answers them with keys.
(async () => {
  const { call } = window.test;
  const result = async (method, params) => (await call(method, params)).result;
  await call("test.report", { value: { refused: await result("test.ask", { title: "Refuse <b>this</b>?" }) } });
  await call("test.report", { value: { agreed: await result("test.ask", { title: "Agree <i>to this</i>?" }) } });
  await call("test.report", { value: { folder: await result("test.folder", {}) } });
})();
