//! The files of the pages. Made by `ui/build.mjs`; not to be edited.

super::embed! {
    "assets/chat-AGV6O4WT.css";
    "assets/chat-KP4Y4KKZ.js";
    "assets/chunk-RFLDYLM4.js";
    "assets/console-EF5KJUU7.css";
    "assets/console-R7UH25IU.js";
    "chat.html";
    "console.html";
    "icon.svg";
    "manifest.webmanifest";
    "sw.js";
}
