// @ts-check
/**
 * Providers, their keys and addresses. A key goes to the host once and is never shown again.
 * In: models. Out: model.set_key, forget_key, set_address. Never: a key in a signal, an attribute or the page's memory
 * after it was sent; an address (it is asked natively).
 */
import { html, useEffect, useRef, useState } from "/vendor/preact.js";
import { call } from "../bridge.js";
import { providerFault } from "../draft.js";
import { models, orToast, settings } from "../store.js";
import { t } from "../strings.js";
import { Button } from "../components/controls.js";
import { Dialog, confirm } from "../components/dialog.js";
import { Icon } from "../components/icons.js";
import { change } from "./settings.js";

export function Models() {
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const chosen = settings.value.model || models.value.default;
  useEffect(() => void lookAgain(), []);
  return html`<section class="group"><header><div><h2>${t("models.providers")}</h2><p class="hint">${t("models.hint")}</p></div></header>
    <div class="providers">${models.value.providers.map((/** @type {any} */ one) => html`<${Provider} key=${one.name} provider=${one} chosen=${chosen} onAskKey=${() => setAsked(one)} />`)}</div>
    ${asked && html`<${KeyDialog} provider=${asked} onClose=${() => setAsked(null)} />`}</section>`;
}

/** The hello does not look for a keystore. */
async function lookAgain() {
  const view = await orToast(call("model.list"));
  if (view) models.value = view;
}

/** @param {{provider: any, chosen: any, onAskKey: () => void}} props */
function Provider({ provider, chosen, onAskKey }) {
  const { key } = provider;
  const isDefault = chosen.provider === provider.name;
  const fault = providerFault(provider);
  const isDemo = provider.name === "demo";
  const use = () => change("model", { provider: provider.name, model: provider.default_model });
  return html`<article class="card provider ${isDefault ? "is-default" : ""}">
    <header><h3>${provider.label}</h3>${isDefault && html`<span class="pill done"><${Icon} name="check" size=${12} />${t("models.default")}</span>`}<span class="grow"></span>
      ${!isDefault && !fault && provider.default_model && html`<${Button} size="small" kind="quiet" onClick=${use}>${t("models.use")}</${Button}>`}</header>
    <dl class="provider-facts">
      ${(provider.needs_key || key.is_set) && html`<div><dt><${Icon} name="key" size=${14} />${t("models.key")}</dt><dd>${keyWords(key)}</dd>
        <dd class="button-row"><${Button} size="small" onClick=${onAskKey}>${t(key.is_set ? "models.replace_key" : "models.set_key")}</${Button}
          >${key.is_set && html`<${Button} size="small" kind="quiet" onClick=${() => forget(provider)}>${t("models.forget_key")}</${Button}>`}</dd></div>`}
      ${!isDemo && html`<div><dt><${Icon} name="network" size=${14} />${t("models.address")}</dt><dd>${provider.address ? html`<span class="mono wrap">${provider.address}</span>` : html`<span class="warning-text">${t("models.no_address")}</span>`}</dd>
        <dd class="button-row"><${Button} size="small" kind=${provider.address ? "quiet" : "plain"} onClick=${() => orToast(call("model.set_address", { provider: provider.name }))}>${t("models.set_address")}</${Button}></dd></div>`}
      <div><dt><${Icon} name="spark" size=${14} />${t("models.models")}</dt><dd>${provider.models.length ? provider.models.join(", ") : t("models.any")}</dd>
        ${!provider.default_model && html`<dd><${ModelName} provider=${provider} chosen=${chosen} /></dd>`}</div>
    </dl></article>`;
}

/** A server of one's own has models that only the person knows. @param {{provider: any, chosen: any}} props */
function ModelName({ provider, chosen }) {
  const id = `model-of-${provider.name}`;
  const send = (/** @type {any} */ event) => {
    event.preventDefault();
    const model = event.currentTarget.elements[id].value.trim();
    if (model) change("model", { provider: provider.name, model });
  };
  return html`<form class="model-name" onSubmit=${send}><label class="visually-hidden" for=${id}>${t("models.name_of", { provider: provider.label })}</label>
    <input id=${id} maxlength="200" spellcheck=${false} placeholder=${t("models.name")} defaultValue=${chosen.provider === provider.name ? chosen.model : ""} /><${Button} size="small" type="submit">${t("models.use")}</${Button}></form>`;
}

/** @param {any} key */
function keyWords(key) {
  if (!key.is_set) return html`<span class="warning-text">${t("models.no_key")}</span>`;
  return html`${key.ending ? html`${t("models.key_ends")} <code class="inline">…${key.ending}</code>` : t("models.key_set")} <span class="hint">${t(`models.source_${key.source}`)}</span>`;
}

/** @param {any} provider */
async function forget(provider) {
  const what = { title: t("models.forget_title"), lines: [t("models.forget_line", { provider: provider.label })], yes: t("models.forget_key"), isDanger: true };
  if (!(await confirm(what))) return;
  const view = await orToast(call("model.forget_key", { provider: provider.name }));
  if (view) models.value = view;
}

/** @param {{provider: any, onClose: () => void}} props */
function KeyDialog({ provider, onClose }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const stores = models.value.key_stores;
  const [keep, setKeep] = useState(stores.includes("keystore") ? "keystore" : stores[0]);
  const [fault, setFault] = useState("");
  const [isBusy, setBusy] = useState(false);
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const field = /** @type {HTMLInputElement} */ (input.current);
    const key = field.value.trim();
    if (!key) return setFault(t("models.key_missing"));
    field.value = "";
    setBusy(true);
    try {
      models.value = await call("model.set_key", { provider: provider.name, key, keep });
      onClose();
    } catch (error) {
      setFault(/** @type {Error} */ (error).message);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${t("models.key_title", { provider: provider.label })} onClose=${onClose}>
    <form onSubmit=${send} class="key-form"><p class="hint">${t("models.key_once")}</p>
      <label class="label" for="key-input">${t("models.key")}</label><input id="key-input" ref=${input} type="password" autocomplete="off" spellcheck=${false} autofocus aria-invalid=${fault ? "true" : undefined} aria-describedby="key-fault" />
      <p id="key-fault" role="alert" class="error-text">${fault}</p>
      <fieldset><legend class="label">${t("models.keep")}</legend>${stores.map((/** @type {string} */ one) => html`<label key=${one} class="radio"><input type="radio" name="keep" checked=${keep === one} onChange=${() => setKeep(one)} /><span>${t(`models.keep_${one}`)}<small>${t(`models.keep_${one}_hint`)}</small></span></label>`)}</fieldset>
      <footer><${Button} onClick=${onClose}>${t("dialog.cancel")}</${Button}><${Button} kind="primary" type="submit" isBusy=${isBusy}>${t("models.save_key")}</${Button}></footer></form>
  </${Dialog}>`;
}
