//! The files of the pages. Made by `ui/build.mjs`; not to be edited.

super::embed! {
    "assets/chat-6Z34SCDR.js";
    "assets/chat-AGV6O4WT.css";
    "assets/chunk-4JIZSWLP.js";
    "assets/console-EF5KJUU7.css";
    "assets/console-XDAXTD3K.js";
    "chat.html";
    "console.html";
    "icon.svg";
    "manifest.webmanifest";
    "sw.js";
}
