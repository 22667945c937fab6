//! The files of the pages. Made by `ui/build.mjs`; not to be edited.

super::embed! {
    "assets/chat-AGV6O4WT.css";
    "assets/chat-TOEVE4NU.js";
    "assets/chunk-LA4OHBXE.js";
    "assets/console-B7AAQAYJ.js";
    "assets/console-EF5KJUU7.css";
    "chat.html";
    "console.html";
    "icon.svg";
    "manifest.webmanifest";
    "sw.js";
}
