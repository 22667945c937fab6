//! The files of the pages. Made by `ui/build.mjs`; not to be edited.

super::embed! {
    "assets/chat-AGV6O4WT.css";
    "assets/chat-ZR54JTHF.js";
    "assets/chunk-JD3UYMGS.js";
    "assets/console-CNL6F5BD.js";
    "assets/console-EF5KJUU7.css";
    "chat.html";
    "console.html";
    "icon.svg";
    "manifest.webmanifest";
    "sw.js";
}
