// What ui/vendor/preact.js exports, as .ci/vendor/make.mjs puts it together.
import type { ComponentChildren } from "preact";
export { h, render, Component, Fragment, createContext, createRef, cloneElement } from "preact";
export { useState, useEffect, useRef, useMemo, useCallback, useLayoutEffect, useReducer, useContext, useId } from "preact/hooks";
export { signal, computed, effect, batch, untracked, useSignal, useComputed, useSignalEffect } from "@preact/signals";
export const html: (strings: TemplateStringsArray, ...values: any[]) => any;
