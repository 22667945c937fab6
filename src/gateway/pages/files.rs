//! The files of the pages. Made by `ui/build.mjs`; not to be edited.

super::embed! {
    "assets/chat-AGV6O4WT.css";
    "assets/chat-REBGEXO6.js";
    "assets/chunk-DKGPQUWZ.js";
    "assets/console-D4GYQIPZ.js";
    "assets/console-EF5KJUU7.css";
    "chat.html";
    "console.html";
    "icon.svg";
    "manifest.webmanifest";
    "sw.js";
}
