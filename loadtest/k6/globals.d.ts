// Globals of k6 that its types leave to the DOM's.

declare const console: {
  error(text: string): void;
};
