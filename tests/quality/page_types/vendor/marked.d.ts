export { marked, Marked, Renderer, Lexer, Parser } from "marked";
