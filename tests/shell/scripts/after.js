// After a reload: the new page works, the old page's token does not, events follow without a gap.
(async () => {
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const { call, events, token, hello } = window.test;
  const old = history.state?.old ?? "";
  const stale = await Promise.race([call("test.report", { value: "STALE" }, old).then(() => "answered"), pause(800).then(() => "silence")]);
  await call("test.emit", { count: 5000, text: "é😀\u2028" });
  for (let turn = 0; turn < 100 && events.length < 5000; turn += 1) await pause(100);
  const gaps = events.filter((event, index) => event.seq !== hello.result.cursor + 1 + index).length;
  await call("test.report", { value: {
    isFresh: token !== old && old.length > 40,
    stale,
    count: events.length,
    gaps,
    first: events[0]?.text,
  } });
})();
