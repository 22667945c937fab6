//! The files of the pages. Made by `ui/build.mjs`; not to be edited.

super::embed! {
    "assets/chat-AGV6O4WT.css";
    "assets/chat-OCVYAKNZ.js";
    "assets/chunk-Y6SHYY4D.js";
    "assets/console-CEVCG4EP.js";
    "assets/console-EF5KJUU7.css";
    "chat.html";
    "console.html";
    "icon.svg";
    "manifest.webmanifest";
    "sw.js";
}
