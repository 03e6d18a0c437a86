// The smallest page that speaks docs/bridge.md over both carriers; tests of the bridge drive it.
const take = (name) => {
  const mark = document.querySelector(`meta[name=${name}]`);
  const value = mark.content;
  mark.remove();
  return value;
};
const token = take("pui-token");
const carrier = take("pui-carrier");
const waiting = new Map();
const events = [];
let last = 0;
let violations = 0;
document.addEventListener("securitypolicyviolation", () => { violations += 1; });

window.pui = {
  _reply(reply) { waiting.get(reply.id)?.(reply); waiting.delete(reply.id); },
  _events(batch) { events.push(...batch); },
};
const ready = carrier === "browser" ? Promise.resolve() : new Promise((resolve) => {
  if (window.puiSend) resolve();
  else window.addEventListener("pui-ready", resolve, { once: true });
});
async function send(text, id) {
  await ready;
  if (carrier === "window") {
    const reply = new Promise((resolve) => waiting.set(id, resolve));
    window.puiSend(text);
    return reply;
  }
  const answer = await fetch("/rpc", { method: "POST", headers: { "content-type": "application/json" }, body: text });
  return answer.ok ? answer.json() : { id, ok: false, status: answer.status };
}
const call = (method, params = {}, t = token) => {
  const id = ++last;
  return send(JSON.stringify({ t, id, method, params }), id);
};
function follow(cursor) {
  if (carrier === "window") return;
  const stream = new EventSource(`/events?after=${cursor}&t=${token}`);
  stream.onmessage = (message) => events.push(...JSON.parse(message.data));
}
window.test = { call, send, follow, events, token, carrier, violations: () => violations };
const hello = await call("app.hello");
if (hello.ok) follow(hello.result.cursor);
window.test.hello = hello;
document.querySelector("#state").textContent = hello.ok ? "ready" : "refused";
call("test.loaded");
